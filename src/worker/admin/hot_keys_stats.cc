// `stats hotkeys`: the keys of all workers, the hottest first. A key has one owner, so that their tables do not
// overlap.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "worker/admin/jobs.h"
#include "worker/admin/key_text.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

constexpr std::size_t kShownMax = 20;

class HotKeysJob final : public AdminJob {
 public:
  explicit HotKeysJob(std::uint32_t workers) : reports_(workers) {}

  void visit(Worker& worker) override {
    if (const HotKeys* keys = worker.hot_keys()) {
      reports_[worker.id()] = {.keys = keys->entries(), .samples = keys->samples(), .sample = keys->sample()};
    }
  }

  void finish(AdminReply& reply) override {
    std::vector<HotKey> all;
    std::uint64_t samples = 0;
    for (Report& report : reports_) {
      samples += report.samples;
      std::ranges::move(report.keys, std::back_inserter(all));
    }
    const std::uint64_t sample = reports_.front().sample;
    if (sample == 0) {
      reply.stat("hotkeys_status", std::string_view{"disabled"});
      reply.end_stats();
      return;
    }
    reply.stat("hotkeys_sample", sample);
    reply.stat("hotkeys_samples", samples);
    std::ranges::sort(all, std::ranges::greater{}, [](const HotKey& key) { return key.count; });
    for (std::uint32_t i = 0; i < std::min(all.size(), kShownMax); ++i) {
      const HotKey& key = all[i];
      std::string text;
      append_uri(text, key.key);
      std::string name{"hotkeys:"};
      name.append(std::to_string(i + 1)).append(":key");
      reply.stat(name, text);
      const auto line = [&](std::string_view what, std::uint64_t value) { reply.stat("hotkeys:", i + 1, what, value); };
      // Estimates: each sample stands for so many operations.
      line("requests", key.count * sample);
      line("requests_error", key.error * sample);
      line("writes", key.writes * sample);
      line("bytes", key.bytes * sample);
    }
    reply.end_stats();
  }

 private:
  struct Report {
    std::vector<HotKey> keys;
    std::uint64_t samples = 0;
    std::uint64_t sample = 0;
  };
  std::vector<Report> reports_;
};

}  // namespace

std::unique_ptr<AdminJob> make_hot_keys_job(std::uint32_t workers) { return std::make_unique<HotKeysJob>(workers); }

}  // namespace millrace::worker
