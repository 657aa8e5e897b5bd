// flush_all, cache_memlimit, `stats detail`, `stats conns`.

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

/// One worker's yes or no; a vector<bool> would have several write the same byte.
struct Flag {
  bool value = false;
};

class FlushJob final : public AdminJob {
 public:
  explicit FlushJob(store::Seconds at) : at_(at) {}
  void visit(Worker& worker) override { worker.partition().flush(at_, worker.now_s()); }
  void finish(AdminReply& reply) override { reply.line("OK\r\n"); }

 private:
  store::Seconds at_;
};

class MemlimitJob final : public AdminJob {
 public:
  MemlimitJob(std::uint32_t workers, std::uint64_t bytes, Tunables& tunables)
      : tunables_(tunables), bytes_(bytes), per_worker_(bytes / workers), is_refused_(workers) {}

  void visit(Worker& worker) override { is_refused_[worker.id()].value = !worker.partition().set_limit(per_worker_); }
  void finish(AdminReply& reply) override {
    const bool refused = std::any_of(is_refused_.begin(), is_refused_.end(), [](const Flag& f) { return f.value; });
    if (!refused) {
      tunables_.memory_bytes.store(bytes_, std::memory_order_relaxed);
    }
    reply.line(refused ? "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n" : protocol::reply::kOk);
  }

 private:
  Tunables& tunables_;
  std::uint64_t bytes_;
  std::uint64_t per_worker_;
  std::vector<Flag> is_refused_;
};

class TuneJob final : public AdminJob {
 public:
  explicit TuneJob(std::function<void(Worker&)> tune) : tune_(std::move(tune)) {}
  void visit(Worker& worker) override { tune_(worker); }
  void finish(AdminReply& reply) override { reply.line(protocol::reply::kOk); }

 private:
  std::function<void(Worker&)> tune_;
};

class MovePageJob final : public AdminJob {
 public:
  MovePageJob(std::uint32_t workers, std::uint32_t from, std::uint32_t to)
      : from_(from), to_(to), are_classes_(workers), has_moved_(workers) {}

  void visit(Worker& worker) override {
    store::Partition& partition = worker.partition();
    const bool are_classes = from_ <= partition.classes() && to_ <= partition.classes();
    are_classes_[worker.id()].value = are_classes;
    has_moved_[worker.id()].value = are_classes && partition.move_page(from_, to_, worker.now_s());
  }
  void finish(AdminReply& reply) override {
    const auto any = [](const std::vector<Flag>& flags) { return std::ranges::any_of(flags, &Flag::value); };
    reply.line(!any(are_classes_) ? kBadClasses
               : !any(has_moved_) ? std::string_view{"NOSPARE source class has no spare pages\r\n"}
                                  : protocol::reply::kOk);
  }

 private:
  std::uint32_t from_;
  std::uint32_t to_;
  std::vector<Flag> are_classes_;
  std::vector<Flag> has_moved_;
};

class DetailSwitchJob final : public AdminJob {
 public:
  explicit DetailSwitchJob(bool on) : on_(on) {}
  void visit(Worker& worker) override { worker.count_prefixes(on_); }
  void finish(AdminReply& reply) override { reply.line("OK\r\n"); }

 private:
  bool on_;
};

class DetailDumpJob final : public AdminJob {
 public:
  explicit DetailDumpJob(std::uint32_t workers) : tables_(workers) {}

  void visit(Worker& worker) override { tables_[worker.id()] = worker.prefix_stats().table(); }
  void finish(AdminReply& reply) override {
    PrefixTable sum;
    for (const PrefixTable& table : tables_) {
      for (const auto& [prefix, counts] : table) {
        PrefixCounts& total = sum[prefix];
        total.gets += counts.gets;
        total.hits += counts.hits;
        total.sets += counts.sets;
        total.deletes += counts.deletes;
      }
    }
    std::string out;
    for (const auto& [prefix, counts] : sum) {
      out.append("PREFIX ").append(prefix);
      out.append(" get ").append(std::to_string(counts.gets));
      out.append(" hit ").append(std::to_string(counts.hits));
      out.append(" set ").append(std::to_string(counts.sets));
      out.append(" del ").append(std::to_string(counts.deletes)).append("\r\n");
    }
    reply.line(out + "END\r\n");
  }

 private:
  std::vector<PrefixTable> tables_;
};

class ConnsStatsJob final : public AdminJob {
 public:
  explicit ConnsStatsJob(std::uint32_t workers) : workers_(workers), reports_(workers) {}

  void visit(Worker& worker) override {
    const ConnectionTable& table = worker.connections();
    for (std::uint32_t slot = 0; slot < table.slots(); ++slot) {
      const Connection* connection = table.at(slot);
      if (connection == nullptr) {
        continue;
      }
      reports_[worker.id()].push_back({.number = slot * workers_ + worker.id(),
                                       .peer = worker.transport().peer_text(connection->id),
                                       .listener = worker.transport().listener_text(connection->id),
                                       .state = state_of(*connection),
                                       .responses_waiting = connection->replies.holes(),
                                       .idle_s = static_cast<std::uint64_t>(std::max<std::int64_t>(
                                           0, std::int64_t{worker.now_s()} - 1 - connection->active_s))});
    }
  }

  void finish(AdminReply& reply) override {
    for (const auto& report : reports_) {
      for (const Row& row : report) {
        reply.stat(std::to_string(row.number) + ":addr", row.peer);
        reply.stat(std::to_string(row.number) + ":listen_addr", row.listener);
        reply.stat(std::to_string(row.number) + ":state", row.state);
        if (row.responses_waiting > 0) {
          reply.stat(std::to_string(row.number) + ":resps_waiting", row.responses_waiting);
        }
        reply.stat(std::to_string(row.number) + ":secs_since_last_cmd", row.idle_s);
      }
    }
    reply.end_stats();
  }

 private:
  struct Row {
    std::uint64_t number = 0;
    std::string peer;
    std::string listener;
    std::string_view state;
    std::uint64_t responses_waiting = 0;  ///< that neighbours are making
    std::uint64_t idle_s = 0;
  };

  /// memcached's words, as near as our states come.
  static std::string_view state_of(const Connection& connection) {
    if (connection.close_requested || connection.is_closing) {
      return "conn_closing";
    }
    if ((connection.blocked & kWatches) != 0) {
      return "conn_watch";
    }
    if (connection.arriving != nullptr) {
      return "conn_nread";
    }
    return connection.replies.is_empty() ? "conn_read" : "conn_mwrite";
  }

  std::uint32_t workers_;
  std::vector<std::vector<Row>> reports_;
};

}  // namespace

std::unique_ptr<AdminJob> make_flush_job(store::Seconds at) { return std::make_unique<FlushJob>(at); }

std::unique_ptr<AdminJob> make_memlimit_job(std::uint32_t workers, std::uint64_t bytes, Tunables& tunables) {
  return std::make_unique<MemlimitJob>(workers, bytes, tunables);
}

std::unique_ptr<AdminJob> make_tune_job(std::function<void(Worker&)> tune) {
  return std::make_unique<TuneJob>(std::move(tune));
}

std::unique_ptr<AdminJob> make_move_page_job(std::uint32_t workers, std::uint32_t from, std::uint32_t to) {
  return std::make_unique<MovePageJob>(workers, from, to);
}

std::unique_ptr<AdminJob> make_detail_switch_job(bool on) { return std::make_unique<DetailSwitchJob>(on); }

std::unique_ptr<AdminJob> make_detail_dump_job(std::uint32_t workers) {
  return std::make_unique<DetailDumpJob>(workers);
}

std::unique_ptr<AdminJob> make_conns_stats_job(std::uint32_t workers) {
  return std::make_unique<ConnsStatsJob>(workers);
}

}  // namespace millrace::worker
