// `stats`: each worker copies what it has counted; the sum is printed under memcached's names, then under ours.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "worker/admin/jobs.h"
#include "worker/admin/worker_report.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

std::string seconds_text(const timeval& at) {
  std::string micros = std::to_string(at.tv_usec);
  return std::to_string(at.tv_sec) + "." + std::string(6 - micros.size(), '0') + micros;
}

std::string tenths_text(std::uint64_t tenths) {
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

class GeneralStatsJob final : public AdminJob {
 public:
  GeneralStatsJob(std::uint32_t workers, SharedState& shared) : shared_(shared), reports_(workers) {}

  void visit(Worker& worker) override {
    reports_[worker.id()] = report_of(worker);
    if (worker.id() == 0) {
      uptime_s_ = worker.now_s();
      wall_s_ = worker.wall_s();
    }
  }

  void finish(AdminReply& reply) override {
    process(reply);
    commands(reply);
    traffic(reply);
    store(reply);
    ours(reply);
    reply.end_stats();
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

  void process(AdminReply& out) const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    out.stat("pid", static_cast<std::uint64_t>(getpid()));
    out.stat("uptime", uptime_s_);
    out.stat("time", static_cast<std::uint64_t>(wall_s_));
    out.stat("version", kVersionText);
    out.stat("pointer_size", std::uint64_t{8} * sizeof(void*));
    out.stat("rusage_user", seconds_text(usage.ru_utime));
    out.stat("rusage_system", seconds_text(usage.ru_stime));
    out.stat("max_connections", shared_.connections_max);
    out.stat("curr_connections", sum(&WorkerReport::connections));
    out.stat("total_connections", sum(&WorkerReport::worker, &WorkerCounters::connections_total));
    out.stat("rejected_connections", sum(&WorkerReport::worker, &WorkerCounters::connections_rejected));
    out.stat("connection_structures", sum(&WorkerReport::connections));
    out.stat("response_obj_oom", std::uint64_t{0});
    out.stat("response_obj_count", sum(&WorkerReport::nodes));
    out.stat("response_obj_bytes", sum(&WorkerReport::buffers) * kTxBufferBytes);
    out.stat("read_buf_oom", sum(&WorkerReport::transport, &dataplane::TransportCounters::receive_buffers_exhausted));
  }

  void commands(AdminReply& out) const {
    using C = store::PartitionCounters;
    const auto of = [&](std::uint64_t C::* field) { return sum(&WorkerReport::store, field); };
    // flush_all is counted by the worker that got it.
    out.stat("cmd_get", of(&C::cmd_get));
    out.stat("cmd_set", of(&C::cmd_set));
    out.stat("cmd_flush", sum(&WorkerReport::worker, &WorkerCounters::cmd_flush));
    out.stat("cmd_touch", of(&C::cmd_touch));
    out.stat("cmd_meta", sum(&WorkerReport::worker, &WorkerCounters::cmd_meta));
    out.stat("get_hits", of(&C::get_hits));
    out.stat("get_misses", of(&C::get_misses));
    out.stat("get_expired", of(&C::get_expired));
    out.stat("get_flushed", of(&C::get_flushed));
    out.stat("delete_misses", of(&C::delete_misses));
    out.stat("delete_hits", of(&C::delete_hits));
    out.stat("incr_misses", of(&C::incr_misses));
    out.stat("incr_hits", of(&C::incr_hits));
    out.stat("decr_misses", of(&C::decr_misses));
    out.stat("decr_hits", of(&C::decr_hits));
    out.stat("cas_misses", of(&C::cas_misses));
    out.stat("cas_hits", of(&C::cas_hits));
    out.stat("cas_badval", of(&C::cas_badval));
    out.stat("touch_hits", of(&C::touch_hits));
    out.stat("touch_misses", of(&C::touch_misses));
    out.stat("store_too_large", of(&C::store_too_large));
    out.stat("store_no_memory", of(&C::store_no_memory));
    out.stat("auth_cmds", sum(&WorkerReport::worker, &WorkerCounters::auth_cmds));
    out.stat("auth_errors", sum(&WorkerReport::worker, &WorkerCounters::auth_errors));
  }

  void traffic(AdminReply& out) const {
    using T = dataplane::TransportCounters;
    const auto of = [&](std::uint64_t T::* field) { return sum(&WorkerReport::transport, field); };
    out.stat("idle_kicks", sum(&WorkerReport::worker, &WorkerCounters::idle_kicks));
    out.stat("bytes_read", of(&T::bytes_received));
    out.stat("bytes_written", of(&T::bytes_sent));
    out.stat("limit_maxbytes", sum(&WorkerReport::limit_bytes));
    out.stat("accepting_conns", std::uint64_t{shared_.stops.load(std::memory_order_relaxed) ? 0U : 1U});
    out.stat("listen_disabled_num", of(&T::accept_failed_no_descriptor));
    out.stat("time_in_listen_disabled_us", of(&T::accept_paused_us));
    out.stat("threads", reports_.size());
    out.stat("conn_yields", sum(&WorkerReport::worker, &WorkerCounters::paused_for_output));
    // A connection stays with the worker that the kernel gave it to.
    out.stat("unexpected_napi_ids", std::uint64_t{0});
    out.stat("round_robin_fallback", std::uint64_t{0});
  }

  void store(AdminReply& out) const {
    using C = store::PartitionCounters;
    using M = store::MemoryStats;
    const auto of = [&](std::uint64_t C::* field) { return sum(&WorkerReport::store, field); };
    const auto memory = [&](auto field) { return sum(&WorkerReport::memory, field); };
    const std::uint64_t page_bytes = reports_.front().memory.page_bytes;
    std::uint64_t level = 0;
    while ((std::uint64_t{1} << (level + 1)) <= memory(&M::index_buckets)) {
      ++level;
    }
    out.stat("hash_power_level", level);
    out.stat("hash_bytes", (memory(&M::pages_index) + memory(&M::pages_overflow)) * page_bytes);
    out.stat("hash_is_expanding", std::uint64_t{memory(&M::index_is_growing) != 0 ? 1U : 0U});
    out.stat("slab_reassign_rescues", of(&C::rescued));
    // Pieces of large values are never moved to another page, and what is lent is passed by: nobody waits for it.
    for (const std::string_view never :
         {"slab_reassign_chunk_rescues", "slab_reassign_inline_reclaim", "slab_reassign_busy_items",
          "slab_reassign_busy_deletes", "slab_reassign_running"}) {
      out.stat(never, std::uint64_t{0});
    }
    out.stat("slabs_moved", of(&C::pages_stolen));
    out.stat("millrace_ghost_hits", of(&C::ghost_hits));
    out.stat("millrace_large_items", of(&C::large_items));
    out.stat("millrace_large_bytes", of(&C::large_bytes));
    out.stat("millrace_large_bytes_max", memory(&M::large_bytes_max));
    out.stat("millrace_large_evictions", of(&C::large_evictions));
    out.stat("lru_crawler_running", std::uint64_t{shared_.tunables.is_crawling.load() ? 1U : 0U});
    out.stat("lru_crawler_starts", shared_.tunables.crawls_started.load(std::memory_order_relaxed));
    out.stat("lru_maintainer_juggles", std::uint64_t{0});
    out.stat("malloc_fails", std::uint64_t{0});
    out.stat("log_worker_dropped", sum(&WorkerReport::watch_log, &WatchLog::Counters::dropped));
    out.stat("log_worker_written", sum(&WorkerReport::watch_log, &WatchLog::Counters::written));
    out.stat("log_watcher_skipped", sum(&WorkerReport::worker, &WorkerCounters::log_watcher_skipped));
    out.stat("log_watcher_sent", sum(&WorkerReport::worker, &WorkerCounters::log_watcher_sent));
    out.stat("log_watchers", shared_.watch_board.count());
    out.stat("bytes", of(&C::bytes));
    out.stat("curr_items", of(&C::curr_items));
    out.stat("total_items", of(&C::total_items));
    out.stat("slab_global_page_pool", memory(&M::pages_free));
    out.stat("expired_unfetched", of(&C::expired_unfetched));
    out.stat("evicted_unfetched", of(&C::evicted_unfetched));
    out.stat("evictions", of(&C::evictions));
    out.stat("reclaimed", of(&C::reclaimed));
    out.stat("crawler_reclaimed", of(&C::crawler_reclaimed));
    out.stat("crawler_items_checked", of(&C::crawler_items_checked));
    // One ring a class: nothing moves between lists. And whoever stores is who evicts.
    for (const std::string_view never :
         {"lrutail_reflocked", "moves_to_cold", "moves_to_warm", "moves_within_lru", "lru_bumps_dropped"}) {
      out.stat(never, std::uint64_t{0});
    }
    out.stat("direct_reclaims", of(&C::evictions) + of(&C::reclaimed));
  }

  // What memcached has no word for. The first group returns to zero when nothing is going on.
  void ours(AdminReply& out) const {
    using C = store::PartitionCounters;
    using T = dataplane::TransportCounters;
    using W = WorkerCounters;
    out.stat("millrace_version", MILLRACE_VERSION);
    const std::uint64_t page_bytes = reports_.front().memory.page_bytes;
    const std::uint64_t items = sum(&WorkerReport::store, &C::curr_items);
    const std::uint64_t header_bytes =
        sum(&WorkerReport::store, &C::bytes) - sum(&WorkerReport::store, &C::payload_bytes);
    const std::uint64_t index_bytes = (sum(&WorkerReport::memory, &store::MemoryStats::pages_index) +
                                       sum(&WorkerReport::memory, &store::MemoryStats::pages_overflow)) *
                                      page_bytes;
    out.stat("millrace_header_bytes", header_bytes);
    // Header and index; what chunks are larger than their items is in `stats slabs`.
    out.stat("millrace_overhead_per_item", tenths_text(items == 0 ? 0 : (header_bytes + index_bytes) * 10 / items));
    out.stat("millrace_memory_given_back",
             sum(&WorkerReport::memory, &store::MemoryStats::pages_given_back) * page_bytes);
    out.stat("millrace_pins", sum(&WorkerReport::store, &C::pins));
    out.stat("millrace_reservations", sum(&WorkerReport::store, &C::reservations));
    out.stat("millrace_holes_outstanding", sum(&WorkerReport::holes));
    out.stat("millrace_buffers_in_use", sum(&WorkerReport::buffers));
    out.stat("millrace_reply_nodes", sum(&WorkerReport::nodes));
    out.stat("millrace_receive_buffers_lent", sum(&WorkerReport::transport, &T::receive_buffers_lent));
    out.stat("millrace_bytes_held_for_paused", sum(&WorkerReport::transport, &T::bytes_held_for_paused));
    out.stat("millrace_sends_in_flight", sum(&WorkerReport::transport, &T::sends_in_flight));
    out.stat("millrace_asks_sent", sum(&WorkerReport::worker, &W::asks_sent));
    out.stat("millrace_asks_served", sum(&WorkerReport::worker, &W::asks_served));
    out.stat("millrace_parked_on_full_lane", sum(&WorkerReport::worker, &W::parked_on_full_lane));
    out.stat("millrace_requests", sum(&WorkerReport::worker, &W::requests));
    out.stat("millrace_batches", sum(&WorkerReport::worker, &W::batches));
    out.stat("millrace_turns", sum(&WorkerReport::worker, &W::turns));
    out.stat("millrace_turns_idle", sum(&WorkerReport::worker, &W::turns_idle));
    std::uint64_t longest_ns = 0;
    for (const WorkerReport& report : reports_) {
      longest_ns = std::max(longest_ns, report.worker.turn_longest_ns);
    }
    out.stat("millrace_turn_longest_us", longest_ns / 1000);
    out.stat("millrace_turns_over_1ms", sum(&WorkerReport::worker, &W::turns_over_1ms));
    out.stat("millrace_idle_us", sum(&WorkerReport::transport, &T::idle_us));
    out.stat("millrace_naps", sum(&WorkerReport::transport, &T::naps));
    out.stat("millrace_napped_us", sum(&WorkerReport::transport, &T::napped_us));
    out.stat("millrace_sleeps", sum(&WorkerReport::transport, &T::sleeps));
    out.stat("millrace_receives_put_off", sum(&WorkerReport::transport, &T::receives_put_off));
    out.stat("millrace_receive_buffers_exhausted", sum(&WorkerReport::transport, &T::receive_buffers_exhausted));
    out.stat("millrace_sends", sum(&WorkerReport::transport, &T::sends));
    out.stat("millrace_sends_zero_copy", sum(&WorkerReport::transport, &T::sends_zero_copy));
    out.stat("millrace_connections_not_allowed", sum(&WorkerReport::worker, &W::connections_not_allowed));
    out.stat("millrace_commands_refused", sum(&WorkerReport::worker, &W::commands_refused));
    out.stat("millrace_udp_drop_not_allowed", sum(&WorkerReport::worker, &W::udp_drop_not_allowed));
    out.stat("millrace_udp_received", sum(&WorkerReport::transport, &T::datagrams_received));
    out.stat("millrace_udp_sent", sum(&WorkerReport::transport, &T::datagrams_sent));
    out.stat("millrace_udp_requests", sum(&WorkerReport::worker, &W::udp_requests));
    out.stat("millrace_udp_exchanges", sum(&WorkerReport::worker, &W::udp_exchanges));
    out.stat("millrace_udp_drop_no_header", sum(&WorkerReport::worker, &W::udp_drop_no_header));
    out.stat("millrace_udp_drop_not_whole", sum(&WorkerReport::worker, &W::udp_drop_not_whole));
    out.stat("millrace_udp_drop_unfinished", sum(&WorkerReport::worker, &W::udp_drop_unfinished));
    out.stat("millrace_udp_drop_amplifies", sum(&WorkerReport::worker, &W::udp_drop_amplifies));
    out.stat("millrace_udp_drop_no_exchange", sum(&WorkerReport::worker, &W::udp_drop_no_exchange));
    out.stat("millrace_udp_drop_truncated", sum(&WorkerReport::transport, &T::datagrams_truncated));
    out.stat("millrace_udp_drop_not_received", sum(&WorkerReport::transport, &T::datagrams_not_received));
    out.stat("millrace_udp_drop_not_sent", sum(&WorkerReport::transport, &T::datagrams_not_sent));
    for (std::size_t i = 0; i < reports_.size(); ++i) {
      const WorkerReport& report = reports_[i];
      const std::string prefix = "millrace_worker_" + std::to_string(i) + "_";
      out.stat(prefix + "connections", report.connections);
      out.stat(prefix + "items", report.store.curr_items);
      out.stat(prefix + "bytes", report.store.bytes);
      out.stat(prefix + "requests", report.worker.requests);
      out.stat(prefix + "asks_served", report.worker.asks_served);
      out.stat(prefix + "idle_us", report.transport.idle_us);
      out.stat(prefix + "evictions", report.store.evictions);
    }
    network(out);
  }

  // Of our own network stack, where there is one: its counters in all, and those of each worker's queue.
  void network(AdminReply& out) const {
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
      out.stat((first[i].kind == CounterKind::Drop ? "millrace_drop_" : "millrace_stack_") + std::string(first[i].name),
               total);
    }
    for (std::size_t worker = 0; worker < reports_.size(); ++worker) {
      for (const FurtherCounters::Counter& counter : reports_[worker].further.all) {
        if (counter.kind == CounterKind::Queue) {
          out.stat("millrace_queue_" + std::to_string(worker) + "_" + std::string(counter.name), counter.value);
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
    worker.watch_log().counters() = {};
    store::PartitionCounters& counters = worker.partition().counters();
    const store::PartitionCounters before = counters;
    counters = {};
    // Levels are not history.
    counters.curr_items = before.curr_items;
    counters.bytes = before.bytes;
    counters.payload_bytes = before.payload_bytes;
    counters.pins = before.pins;
    counters.reservations = before.reservations;
    worker.prefix_stats().clear();
  }
  void finish(AdminReply& reply) override { reply.line("RESET\r\n"); }
};

}  // namespace

std::unique_ptr<AdminJob> make_general_stats_job(std::uint32_t workers, SharedState& shared) {
  return std::make_unique<GeneralStatsJob>(workers, shared);
}

std::unique_ptr<AdminJob> make_reset_job() { return std::make_unique<ResetJob>(); }

}  // namespace millrace::worker
