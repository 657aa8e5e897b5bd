// `lru_crawler metadump`, `mgdump` and `crawl`: walks over everything, a slice at a time.
//
// A dump visits one worker after the other; each visit brings the piece that its client reads next. A crawl visits all
// workers at the same time, and again those that have more.

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/admin/key_text.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

class DumpJob final : public AdminJob {
 public:
  DumpJob(DumpForm form, std::uint64_t classes, std::uint32_t workers)
      : AdminJob(JobKind::Steps), form_(form), classes_(classes), workers_(workers) {}

  void visit(Worker& worker) override {
    struct Lines final : store::ItemVisitor {
      Lines(DumpJob& dump, Worker& at) : job(dump), worker(at) {}
      bool visit(const store::Item& item) noexcept override {
        job.form_ == DumpForm::Meta ? job.append_meta_line(item, worker) : job.append_mg_line(item);
        return job.piece_.size() < kStepBytesMax;
      }
      DumpJob& job;
      Worker& worker;
    } lines(*this, worker);
    has_more_ = worker.partition().walk(cursor_, classes_, kStepSlotsMax, worker.now_s(), lines);
  }

  void step(AdminReply& reply, std::vector<WorkerId>& to_visit) override {
    if (!has_begun_) {
      reply.line(protocol::reply::kOk);
      has_begun_ = true;
    } else {
      reply.line(piece_);
      piece_.clear();
      if (!has_more_) {
        ++at_;
        cursor_ = {};
      }
    }
    if (at_ < workers_) {
      to_visit.push_back(at_);
    }
  }

  void finish(AdminReply& reply) override {
    reply.line(form_ == DumpForm::Meta ? protocol::reply::kEnd : std::string_view{"EN\r\n"});
  }

 private:
  /// As memcached's, the space before the end included; but la tells the last change: nobody keeps when it was asked
  /// for.
  void append_meta_line(const store::Item& item, Worker& worker) {
    const std::int64_t to_wall_s = worker.wall_s() - worker.now_s();
    const std::int64_t expires = item.expires_at() == store::kNever ? -1 : item.expires_at() + to_wall_s;
    piece_.append("key=");
    append_uri(piece_, item.key());
    piece_.append(" exp=").append(std::to_string(expires));
    piece_.append(" la=").append(std::to_string(worker.wall_s() - worker.partition().age(item, worker.now_s())));
    piece_.append(" cas=").append(std::to_string(item.cas()));
    piece_.append(item.was_fetched() ? " fetch=yes cls=" : " fetch=no cls=");
    piece_.append(std::to_string(worker.partition().class_id_of(item)));
    piece_.append(" size=").append(std::to_string(item.item_bytes()));
    piece_.append(" flags=").append(std::to_string(item.client_flags())).append(" \n");
  }

  void append_mg_line(const store::Item& item) {
    piece_.append("mg ");
    if (is_text_key(item.key())) {
      piece_.append(item.key()).append("\r\n");
    } else {
      append_base64(piece_, item.key());
      piece_.append(" b\r\n");
    }
  }

  const DumpForm form_;
  const std::uint64_t classes_;
  const std::uint32_t workers_;
  WorkerId at_ = 0;
  store::WalkCursor cursor_;
  std::string piece_;
  bool has_begun_ = false;
  bool has_more_ = true;
};

class CrawlJob final : public AdminJob {
 public:
  CrawlJob(std::uint64_t classes, std::uint64_t slots, std::uint32_t workers, Tunables& tunables)
      : AdminJob(JobKind::Background), tunables_(tunables), classes_(classes), walks_(workers) {
    for (Walk& walk : walks_) {
      walk.slots_left = slots;
    }
  }
  ~CrawlJob() override { tunables_.is_crawling.store(false, std::memory_order_release); }

  void visit(Worker& worker) override {
    Walk& walk = walks_[worker.id()];
    const auto slots = static_cast<std::uint32_t>(std::min<std::uint64_t>(walk.slots_left, kStepSlotsMax));
    walk.slots_left -= slots;
    walk.has_more = worker.partition().crawl(walk.cursor, classes_, slots, worker.now_s()) && walk.slots_left > 0;
  }

  void step(AdminReply& /*reply*/, std::vector<WorkerId>& to_visit) override {
    for (WorkerId worker = 0; worker < walks_.size(); ++worker) {
      if (walks_[worker].has_more) {
        to_visit.push_back(worker);
      }
    }
  }

  void finish(AdminReply& reply) override { reply.line(protocol::reply::kOk); }

 private:
  struct alignas(64) Walk {
    store::WalkCursor cursor;
    std::uint64_t slots_left = 0;
    bool has_more = true;
  };
  Tunables& tunables_;
  const std::uint64_t classes_;
  std::vector<Walk> walks_;
};

}  // namespace

std::unique_ptr<AdminJob> make_dump_job(DumpForm form, std::uint64_t classes, std::uint32_t workers) {
  return std::make_unique<DumpJob>(form, classes, workers);
}

std::unique_ptr<AdminJob> make_crawl_job(std::uint64_t classes, std::uint64_t slots, std::uint32_t workers,
                                         Tunables& tunables) {
  return std::make_unique<CrawlJob>(classes, slots, workers, tunables);
}

}  // namespace millrace::worker
