// `stats`: each worker copies what it has counted; the sum is printed under memcached's names, then under ours.

#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "worker/admin/jobs.h"
#include "worker/admin/stat_lines.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

/// What the transport counts besides, in its order, which is the same in every worker that has the same transport.
class FurtherCounters final : public dataplane::CounterVisitor {
 public:
  struct Counter {
    dataplane::CounterKind kind;
    std::string_view name;
    std::uint64_t value;
  };
  void visit(dataplane::CounterKind kind, std::string_view name, std::uint64_t value) noexcept override {
    all.push_back({kind, name, value});
  }
  std::vector<Counter> all;
};

struct WorkerReport {
  WorkerCounters worker;
  store::PartitionCounters store;
  store::MemoryStats memory;
  dataplane::TransportCounters transport;
  FurtherCounters further;
  std::uint64_t connections = 0;
  std::uint64_t holes = 0;
  std::uint64_t buffers = 0;
  std::uint64_t nodes = 0;
  std::uint64_t limit_bytes = 0;
};

std::string seconds_text(const timeval& at) {
  std::string micros = std::to_string(at.tv_usec);
  return std::to_string(at.tv_sec) + "." + std::string(6 - micros.size(), '0') + micros;
}

class GeneralStatsJob final : public AdminJob {
 public:
  GeneralStatsJob(std::uint32_t workers, SharedState& shared) : shared_(shared), reports_(workers) {}

  void visit(Worker& worker) override {
    WorkerReport& report = reports_[worker.id()];
    report.worker = worker.counters();
    report.store = worker.partition().counters();
    report.memory = worker.partition().memory_stats();
    report.transport = worker.transport().counters();
    worker.transport().visit_counters(report.further);
    report.connections = worker.connections().count();
    report.holes = worker.holes_outstanding();
    report.buffers = worker.reply_memory().buffers_in_use();
    report.nodes = worker.reply_memory().nodes_in_use();
    report.limit_bytes = worker.partition().limit_bytes();
    if (worker.id() == 0) {
      uptime_s_ = worker.now_s();
      wall_s_ = worker.wall_s();
    }
  }

  std::string finish() override {
    StatLines out;
    process(out);
    commands(out);
    traffic(out);
    store(out);
    ours(out);
    return std::move(out).end();
  }

 private:
  template <typename Part, typename Field>
  [[nodiscard]] std::uint64_t sum(Part WorkerReport::* part, Field Part::* field) const {
    std::uint64_t total = 0;
    for (const WorkerReport& report : reports_) {
      total += static_cast<std::uint64_t>(report.*part.*field);
    }
    return total;
  }
  [[nodiscard]] std::uint64_t sum(std::uint64_t WorkerReport::* field) const {
    std::uint64_t total = 0;
    for (const WorkerReport& report : reports_) {
      total += report.*field;
    }
    return total;
  }

  void process(StatLines& out) const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    out.add("pid", static_cast<std::uint64_t>(getpid()));
    out.add("uptime", uptime_s_);
    out.add("time", static_cast<std::uint64_t>(wall_s_));
    out.add("version", kVersionText);
    out.add("pointer_size", std::uint64_t{8} * sizeof(void*));
    out.add("rusage_user", seconds_text(usage.ru_utime));
    out.add("rusage_system", seconds_text(usage.ru_stime));
    out.add("max_connections", shared_.connections_max);
    out.add("curr_connections", sum(&WorkerReport::connections));
    out.add("total_connections", sum(&WorkerReport::worker, &WorkerCounters::connections_total));
    out.add("rejected_connections", sum(&WorkerReport::worker, &WorkerCounters::connections_rejected));
    out.add("connection_structures", sum(&WorkerReport::connections));
  }

  void commands(StatLines& out) const {
    using C = store::PartitionCounters;
    const auto of = [&](std::uint64_t C::* field) { return sum(&WorkerReport::store, field); };
    // flush_all is counted by the worker that got it.
    out.add("cmd_get", of(&C::cmd_get));
    out.add("cmd_set", of(&C::cmd_set));
    out.add("cmd_flush", sum(&WorkerReport::worker, &WorkerCounters::cmd_flush));
    out.add("cmd_touch", of(&C::cmd_touch));
    out.add("cmd_meta", std::uint64_t{0});
    out.add("get_hits", of(&C::get_hits));
    out.add("get_misses", of(&C::get_misses));
    out.add("get_expired", of(&C::get_expired));
    out.add("get_flushed", of(&C::get_flushed));
    out.add("delete_misses", of(&C::delete_misses));
    out.add("delete_hits", of(&C::delete_hits));
    out.add("incr_misses", of(&C::incr_misses));
    out.add("incr_hits", of(&C::incr_hits));
    out.add("decr_misses", of(&C::decr_misses));
    out.add("decr_hits", of(&C::decr_hits));
    out.add("cas_misses", of(&C::cas_misses));
    out.add("cas_hits", of(&C::cas_hits));
    out.add("cas_badval", of(&C::cas_badval));
    out.add("touch_hits", of(&C::touch_hits));
    out.add("touch_misses", of(&C::touch_misses));
    out.add("store_too_large", of(&C::store_too_large));
    out.add("store_no_memory", of(&C::store_no_memory));
    out.add("auth_cmds", std::uint64_t{0});
    out.add("auth_errors", std::uint64_t{0});
  }

  void traffic(StatLines& out) const {
    using T = dataplane::TransportCounters;
    const auto of = [&](std::uint64_t T::* field) { return sum(&WorkerReport::transport, field); };
    out.add("idle_kicks", sum(&WorkerReport::worker, &WorkerCounters::idle_kicks));
    out.add("bytes_read", of(&T::bytes_received));
    out.add("bytes_written", of(&T::bytes_sent));
    out.add("limit_maxbytes", sum(&WorkerReport::limit_bytes));
    out.add("accepting_conns", std::uint64_t{shared_.stops.load(std::memory_order_relaxed) ? 0U : 1U});
    out.add("listen_disabled_num", of(&T::accept_failed_no_descriptor));
    out.add("time_in_listen_disabled_us", of(&T::accept_paused_us));
    out.add("threads", reports_.size());
    out.add("conn_yields", sum(&WorkerReport::worker, &WorkerCounters::paused_for_output));
  }

  void store(StatLines& out) const {
    using C = store::PartitionCounters;
    using M = store::MemoryStats;
    const auto of = [&](std::uint64_t C::* field) { return sum(&WorkerReport::store, field); };
    const auto memory = [&](auto field) { return sum(&WorkerReport::memory, field); };
    const std::uint64_t page_bytes = reports_.front().memory.page_bytes;
    std::uint64_t level = 0;
    while ((std::uint64_t{1} << (level + 1)) <= memory(&M::index_buckets)) {
      ++level;
    }
    out.add("hash_power_level", level);
    out.add("hash_bytes", (memory(&M::pages_index) + memory(&M::pages_overflow)) * page_bytes);
    out.add("hash_is_expanding", std::uint64_t{memory(&M::index_is_growing) != 0 ? 1U : 0U});
    out.add("slab_reassign_running", std::uint64_t{0});
    out.add("slabs_moved", of(&C::pages_stolen));
    out.add("lru_crawler_running", std::uint64_t{0});
    out.add("malloc_fails", std::uint64_t{0});
    out.add("bytes", of(&C::bytes));
    out.add("curr_items", of(&C::curr_items));
    out.add("total_items", of(&C::total_items));
    out.add("slab_global_page_pool", memory(&M::pages_free));
    out.add("expired_unfetched", of(&C::expired_unfetched));
    out.add("evicted_unfetched", of(&C::evicted_unfetched));
    out.add("evictions", of(&C::evictions));
    out.add("reclaimed", of(&C::reclaimed));
    out.add("crawler_reclaimed", of(&C::crawler_reclaimed));
  }

  // What memcached has no word for. The first group returns to zero when nothing is going on.
  void ours(StatLines& out) const {
    using C = store::PartitionCounters;
    using T = dataplane::TransportCounters;
    using W = WorkerCounters;
    out.add("millrace_version", MILLRACE_VERSION);
    out.add("millrace_pins", sum(&WorkerReport::store, &C::pins));
    out.add("millrace_reservations", sum(&WorkerReport::store, &C::reservations));
    out.add("millrace_holes_outstanding", sum(&WorkerReport::holes));
    out.add("millrace_buffers_in_use", sum(&WorkerReport::buffers));
    out.add("millrace_reply_nodes", sum(&WorkerReport::nodes));
    out.add("millrace_receive_buffers_lent", sum(&WorkerReport::transport, &T::receive_buffers_lent));
    out.add("millrace_bytes_held_for_paused", sum(&WorkerReport::transport, &T::bytes_held_for_paused));
    out.add("millrace_sends_in_flight", sum(&WorkerReport::transport, &T::sends_in_flight));
    out.add("millrace_asks_sent", sum(&WorkerReport::worker, &W::asks_sent));
    out.add("millrace_asks_served", sum(&WorkerReport::worker, &W::asks_served));
    out.add("millrace_parked_on_full_lane", sum(&WorkerReport::worker, &W::parked_on_full_lane));
    out.add("millrace_requests", sum(&WorkerReport::worker, &W::requests));
    out.add("millrace_batches", sum(&WorkerReport::worker, &W::batches));
    out.add("millrace_turns", sum(&WorkerReport::worker, &W::turns));
    out.add("millrace_turns_idle", sum(&WorkerReport::worker, &W::turns_idle));
    out.add("millrace_idle_us", sum(&WorkerReport::transport, &T::idle_us));
    out.add("millrace_naps", sum(&WorkerReport::transport, &T::naps));
    out.add("millrace_napped_us", sum(&WorkerReport::transport, &T::napped_us));
    out.add("millrace_receive_buffers_exhausted", sum(&WorkerReport::transport, &T::receive_buffers_exhausted));
    out.add("millrace_sends", sum(&WorkerReport::transport, &T::sends));
    out.add("millrace_sends_zero_copy", sum(&WorkerReport::transport, &T::sends_zero_copy));
    out.add("millrace_udp_received", sum(&WorkerReport::transport, &T::datagrams_received));
    out.add("millrace_udp_sent", sum(&WorkerReport::transport, &T::datagrams_sent));
    out.add("millrace_udp_requests", sum(&WorkerReport::worker, &W::udp_requests));
    out.add("millrace_udp_exchanges", sum(&WorkerReport::worker, &W::udp_exchanges));
    out.add("millrace_udp_drop_no_header", sum(&WorkerReport::worker, &W::udp_drop_no_header));
    out.add("millrace_udp_drop_not_whole", sum(&WorkerReport::worker, &W::udp_drop_not_whole));
    out.add("millrace_udp_drop_unfinished", sum(&WorkerReport::worker, &W::udp_drop_unfinished));
    out.add("millrace_udp_drop_amplifies", sum(&WorkerReport::worker, &W::udp_drop_amplifies));
    out.add("millrace_udp_drop_no_exchange", sum(&WorkerReport::worker, &W::udp_drop_no_exchange));
    out.add("millrace_udp_drop_truncated", sum(&WorkerReport::transport, &T::datagrams_truncated));
    out.add("millrace_udp_drop_not_received", sum(&WorkerReport::transport, &T::datagrams_not_received));
    out.add("millrace_udp_drop_not_sent", sum(&WorkerReport::transport, &T::datagrams_not_sent));
    for (std::size_t i = 0; i < reports_.size(); ++i) {
      const WorkerReport& report = reports_[i];
      const std::string prefix = "millrace_worker_" + std::to_string(i) + "_";
      out.add(prefix + "connections", report.connections);
      out.add(prefix + "items", report.store.curr_items);
      out.add(prefix + "bytes", report.store.bytes);
      out.add(prefix + "requests", report.worker.requests);
      out.add(prefix + "asks_served", report.worker.asks_served);
      out.add(prefix + "idle_us", report.transport.idle_us);
      out.add(prefix + "evictions", report.store.evictions);
    }
    network(out);
  }

  // Of our own network stack, where there is one: its counters in all, and those of each worker's queue.
  void network(StatLines& out) const {
    using dataplane::CounterKind;
    const std::vector<FurtherCounters::Counter>& first = reports_.front().further.all;
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i].kind == CounterKind::Queue) {
        continue;
      }
      std::uint64_t total = 0;
      for (const WorkerReport& report : reports_) {
        total += i < report.further.all.size() ? report.further.all[i].value : 0;
      }
      out.add((first[i].kind == CounterKind::Drop ? "millrace_drop_" : "millrace_stack_") + std::string(first[i].name),
              total);
    }
    for (std::size_t worker = 0; worker < reports_.size(); ++worker) {
      for (const FurtherCounters::Counter& counter : reports_[worker].further.all) {
        if (counter.kind == CounterKind::Queue) {
          out.add("millrace_queue_" + std::to_string(worker) + "_" + std::string(counter.name), counter.value);
        }
      }
    }
  }

  SharedState& shared_;
  std::vector<WorkerReport> reports_;
  std::uint64_t uptime_s_ = 0;
  std::int64_t wall_s_ = 0;
};

class ResetJob final : public AdminJob {
 public:
  void visit(Worker& worker) override {
    worker.counters() = {};
    store::PartitionCounters& counters = worker.partition().counters();
    const store::PartitionCounters before = counters;
    counters = {};
    // Levels are not history.
    counters.curr_items = before.curr_items;
    counters.bytes = before.bytes;
    counters.pins = before.pins;
    counters.reservations = before.reservations;
    worker.prefix_stats().clear();
  }
  std::string finish() override { return "RESET\r\n"; }
};

}  // namespace

std::unique_ptr<AdminJob> make_general_stats_job(std::uint32_t workers, SharedState& shared) {
  return std::make_unique<GeneralStatsJob>(workers, shared);
}

std::unique_ptr<AdminJob> make_reset_job() { return std::make_unique<ResetJob>(); }

}  // namespace millrace::worker
