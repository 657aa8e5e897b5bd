// `stats items`, `stats slabs`, `stats sizes`, `stats cachedump`: what the size classes hold. All partitions have the
// same classes, so an id means the same everywhere and numbers are added up.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using store::ClassStats;

void add(ClassStats& to, const ClassStats& from) {
  to.chunk_size = from.chunk_size;
  to.chunks_per_page = from.chunks_per_page;
  for (const auto field : {&ClassStats::total_pages,       &ClassStats::total_chunks,    &ClassStats::used_chunks,
                           &ClassStats::free_chunks,       &ClassStats::mem_requested,   &ClassStats::number,
                           &ClassStats::evicted,           &ClassStats::evicted_nonzero, &ClassStats::evicted_unfetched,
                           &ClassStats::expired_unfetched, &ClassStats::outofmemory,     &ClassStats::reclaimed,
                           &ClassStats::crawler_reclaimed, &ClassStats::get_hits,        &ClassStats::cmd_set,
                           &ClassStats::delete_hits,       &ClassStats::incr_hits,       &ClassStats::decr_hits,
                           &ClassStats::cas_hits,          &ClassStats::cas_badval,      &ClassStats::touch_hits}) {
    to.*field += from.*field;
  }
  // Of the oldest anywhere, and of the one that had waited longest: each worker has a last one of its own.
  to.age = std::max(to.age, from.age);
  to.evicted_time = std::max(to.evicted_time, from.evicted_time);
}

/// Collects the classes of every partition.
class ClassesJob : public AdminJob {
 public:
  explicit ClassesJob(std::uint32_t workers) : reports_(workers) {}

  void visit(Worker& worker) override {
    std::vector<ClassStats>& report = reports_[worker.id()];
    const store::Partition& partition = worker.partition();
    for (std::uint32_t id = 1; id <= partition.classes(); ++id) {
      report.push_back(partition.class_stats(id, worker.now_s()));
    }
  }

 protected:
  /// Index 0 is class 1.
  [[nodiscard]] std::vector<ClassStats> total() const {
    std::vector<ClassStats> sum(reports_.front().size());
    for (const auto& report : reports_) {
      for (std::size_t i = 0; i < sum.size(); ++i) {
        add(sum[i], report[i]);
      }
    }
    return sum;
  }

 private:
  std::vector<std::vector<ClassStats>> reports_;
};

class ItemsStatsJob final : public ClassesJob {
 public:
  using ClassesJob::ClassesJob;

  void finish(AdminReply& reply) override {
    std::uint32_t id = 0;
    for (const ClassStats& c : total()) {
      ++id;
      if (c.number == 0) {
        continue;
      }
      const auto line = [&](std::string_view name, std::uint64_t value) { reply.stat("items:", id, name, value); };
      line("number", c.number);
      line("age", c.age);
      line("mem_requested", c.mem_requested);
      line("evicted", c.evicted);
      line("evicted_nonzero", c.evicted_nonzero);
      line("evicted_time", c.evicted_time);
      line("outofmemory", c.outofmemory);
      line("reclaimed", c.reclaimed);
      line("expired_unfetched", c.expired_unfetched);
      line("evicted_unfetched", c.evicted_unfetched);
      line("crawler_reclaimed", c.crawler_reclaimed);
      // One ring a class: nothing moves between lists, and no item is left referenced by a lost connection.
      for (const std::string_view never :
           {"tailrepairs", "lrutail_reflocked", "moves_to_cold", "moves_to_warm", "moves_within_lru"}) {
        line(never, 0);
      }
      line("direct_reclaims", c.evicted + c.reclaimed);
    }
    reply.end_stats();
  }
};

class SlabsStatsJob final : public ClassesJob {
 public:
  using ClassesJob::ClassesJob;

  void finish(AdminReply& reply) override {
    std::uint32_t id = 0;
    std::uint64_t active = 0;
    std::uint64_t malloced = 0;
    for (const ClassStats& c : total()) {
      ++id;
      if (c.total_pages == 0) {
        continue;
      }
      ++active;
      malloced += c.total_pages * c.chunk_size * c.chunks_per_page;
      const auto line = [&](std::string_view name, std::uint64_t value) { reply.stat("", id, name, value); };
      line("chunk_size", c.chunk_size);
      line("chunks_per_page", c.chunks_per_page);
      line("total_pages", c.total_pages);
      line("total_chunks", c.total_chunks);
      line("used_chunks", c.used_chunks);
      line("free_chunks", c.free_chunks);
      line("free_chunks_end", 0);
      line("mem_requested", c.mem_requested);
      line("get_hits", c.get_hits);
      line("cmd_set", c.cmd_set);
      line("delete_hits", c.delete_hits);
      line("incr_hits", c.incr_hits);
      line("decr_hits", c.decr_hits);
      line("cas_hits", c.cas_hits);
      line("cas_badval", c.cas_badval);
      line("touch_hits", c.touch_hits);
    }
    reply.stat("active_slabs", active);
    reply.stat("total_malloced", malloced);
    reply.end_stats();
  }
};

/// Histogram of item sizes in steps of 32 bytes. Walks every item: only with -o track_sizes, whose price it is.
class SizesStatsJob final : public AdminJob {
 public:
  explicit SizesStatsJob(std::uint32_t workers) : reports_(workers) {}

  void visit(Worker& worker) override {
    struct Count final : store::ItemVisitor {
      bool visit(const store::Item& item) noexcept override {
        ++sizes[(item.item_bytes() + 31) / 32 * 32];
        return true;
      }
      std::map<std::uint64_t, std::uint64_t> sizes;
    } count;
    for (std::uint32_t id = 1; id <= worker.partition().classes(); ++id) {
      worker.partition().visit_class(id, 0, worker.now_s(), count);
    }
    reports_[worker.id()] = std::move(count.sizes);
  }

  void finish(AdminReply& reply) override {
    std::map<std::uint64_t, std::uint64_t> sum;
    for (const auto& report : reports_) {
      for (const auto& [size, number] : report) {
        sum[size] += number;
      }
    }
    for (const auto& [size, number] : sum) {
      reply.stat(std::to_string(size), number);
    }
    reply.end_stats();
  }

 private:
  std::vector<std::map<std::uint64_t, std::uint64_t>> reports_;
};

class CachedumpJob final : public AdminJob {
 public:
  CachedumpJob(std::uint32_t workers, std::uint32_t class_id, std::uint32_t limit)
      : class_id_(class_id), limit_(limit), reports_(workers) {}

  void visit(Worker& worker) override {
    struct List final : store::ItemVisitor {
      bool visit(const store::Item& item) noexcept override {
        const std::int64_t at = item.expires_at() == store::kNever ? 0 : item.expires_at() + to_wall_s;
        std::string line = "ITEM ";
        line.append(item.key()).append(" [").append(std::to_string(item.value_bytes())).append(" b; ");
        line.append(std::to_string(at)).append(" s]\r\n");
        bytes += line.size();
        lines->push_back(std::move(line));
        return bytes < kCachedumpBytesMax;
      }
      std::vector<std::string>* lines = nullptr;
      std::size_t bytes = 0;
      std::int64_t to_wall_s = 0;
    } list;
    if (class_id_ == 0 || class_id_ > worker.partition().classes()) {
      return;
    }
    list.lines = &reports_[worker.id()];
    list.to_wall_s = worker.wall_s() - worker.now_s();
    worker.partition().visit_class(class_id_, limit_, worker.now_s(), list);
  }

  void finish(AdminReply& reply) override {
    std::size_t bytes = 0;
    std::uint32_t count = 0;
    for (const auto& report : reports_) {
      for (const std::string& line : report) {
        bytes += line.size();
        if ((limit_ != 0 && count == limit_) || bytes > kCachedumpBytesMax) {
          reply.line(protocol::reply::kEnd);
          return;
        }
        reply.line(line);
        ++count;
      }
    }
    reply.line(protocol::reply::kEnd);
  }

 private:
  std::uint32_t class_id_;
  std::uint32_t limit_;
  std::vector<std::vector<std::string>> reports_;
};

}  // namespace

std::unique_ptr<AdminJob> make_items_stats_job(std::uint32_t workers) {
  return std::make_unique<ItemsStatsJob>(workers);
}

std::unique_ptr<AdminJob> make_slabs_stats_job(std::uint32_t workers) {
  return std::make_unique<SlabsStatsJob>(workers);
}

std::unique_ptr<AdminJob> make_sizes_stats_job(std::uint32_t workers) {
  return std::make_unique<SizesStatsJob>(workers);
}

std::unique_ptr<AdminJob> make_cachedump_job(std::uint32_t workers, std::uint32_t class_id, std::uint32_t limit) {
  return std::make_unique<CachedumpJob>(workers, class_id, limit);
}

}  // namespace millrace::worker
