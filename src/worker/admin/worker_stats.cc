// `stats workers`: the same numbers as `stats`, one worker beside the other, so that a hot partition, a worker with too
// many connections, or one that is full before the others is seen. Ours; memcached's threads share everything.
//
// What a partition counts is its owner's, whichever worker the client talks to: a hot key shows in the owner's cmd_get
// and asks_served; a hot connection in the requests and asks_sent of the worker that has it.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "worker/admin/jobs.h"
#include "worker/admin/worker_report.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

std::string ratio_text(std::uint64_t part, std::uint64_t whole) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

class WorkersStatsJob final : public AdminJob {
 public:
  explicit WorkersStatsJob(std::uint32_t workers) : reports_(workers) {}

  void visit(Worker& worker) override { reports_[worker.id()] = report_of(worker); }

  void finish(AdminReply& reply) override {
    reply.stat("workers", reports_.size());
    // The busiest over the mean: 1 is even, the number of workers is all on one.
    imbalance(reply, "imbalance_requests", [](const WorkerReport& r) { return r.worker.requests; });
    imbalance(reply, "imbalance_executed", executed);
    imbalance(reply, "imbalance_items", [](const WorkerReport& r) { return r.store.curr_items; });
    imbalance(reply, "imbalance_bytes", [](const WorkerReport& r) { return r.store.bytes; });
    for (std::uint32_t id = 0; id < reports_.size(); ++id) {
      tell(reply, id, reports_[id]);
    }
    reply.end_stats();
  }

 private:
  /// Requests that this partition carried out, for whomever.
  static std::uint64_t executed(const WorkerReport& r) {
    const store::PartitionCounters& c = r.store;
    return c.cmd_get + c.cmd_set + c.cmd_touch + c.delete_hits + c.delete_misses + c.incr_hits + c.incr_misses +
           c.decr_hits + c.decr_misses;
  }

  template <typename Number>
  void imbalance(AdminReply& reply, std::string_view name, Number number) const {
    std::uint64_t most = 0;
    std::uint64_t sum = 0;
    for (const WorkerReport& report : reports_) {
      most = std::max(most, number(report));
      sum += number(report);
    }
    reply.stat(name, ratio_text(most * reports_.size(), sum));
  }

  static void tell(AdminReply& reply, std::uint32_t id, const WorkerReport& r) {
    const auto line = [&](std::string_view name, std::uint64_t value) { reply.stat("worker:", id, name, value); };
    line("connections", r.connections);
    line("requests", r.worker.requests);
    line("asks_sent", r.worker.asks_sent);
    line("asks_served", r.worker.asks_served);
    line("parked_on_full_lane", r.worker.parked_on_full_lane);
    line("executed", executed(r));
    line("cmd_get", r.store.cmd_get);
    line("get_hits", r.store.get_hits);
    line("get_misses", r.store.get_misses);
    line("cmd_set", r.store.cmd_set);
    line("curr_items", r.store.curr_items);
    line("bytes", r.store.bytes);
    line("limit_maxbytes", r.limit_bytes);
    line("pages_free", r.memory.pages_free);
    line("evictions", r.store.evictions);
    line("bytes_read", r.transport.bytes_received);
    line("bytes_written", r.transport.bytes_sent);
    line("turns", r.worker.turns);
    line("idle_us", r.transport.idle_us);
    std::string name{"worker:"};
    name.append(std::to_string(id)).append(":idle_share");  // since start
    reply.stat(name, ratio_text(std::min(r.transport.idle_us, r.now_us), r.now_us));
  }

  std::vector<WorkerReport> reports_;
};

}  // namespace

std::unique_ptr<AdminJob> make_workers_stats_job(std::uint32_t workers) {
  return std::make_unique<WorkersStatsJob>(workers);
}

}  // namespace millrace::worker
