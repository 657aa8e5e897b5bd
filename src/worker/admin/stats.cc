// `stats` with whatever follows: which job answers it, or what is said at once.

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/admin/words.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using Words = std::vector<std::string_view>;
using Job = std::unique_ptr<AdminJob>;

/// For what needs no other worker.
Job say(AdminReply& reply, std::string_view text) {
  reply.line(text);
  return nullptr;
}

/// What was asked for at start, and what administrators have changed since.
Job tell_settings(const SharedState& shared, AdminReply& reply) {
  const Tunables& now = shared.tunables;
  const std::pair<std::string_view, std::string> changeable[] = {
      {"verbosity", std::to_string(shared.verbosity.load(std::memory_order_relaxed))},
      {"maxbytes", std::to_string(now.memory_bytes.load(std::memory_order_relaxed))},
      {"slab_automove", std::to_string(now.automove.load(std::memory_order_relaxed))},
      {"lru_crawler", now.crawls.load(std::memory_order_relaxed) ? "yes" : "no"},
      {"lru_crawler_sleep", std::to_string(now.crawl_sleep_us.load(std::memory_order_relaxed))},
      {"lru_crawler_tocrawl", std::to_string(now.crawl_slots.load(std::memory_order_relaxed))},
  };
  for (const auto& [name, value] : shared.settings) {
    const auto* const changed =
        std::find_if(std::begin(changeable), std::end(changeable), [&](const auto& one) { return one.first == name; });
    reply.stat(name, std::string_view{changed != std::end(changeable) ? changed->second : value});
  }
  reply.end_stats();
  return nullptr;
}

Job answer_sizes(const SharedState& shared, std::uint32_t workers, AdminReply& reply) {
  if (shared.tracks_sizes) {
    return make_sizes_stats_job(workers);
  }
  reply.stat("sizes_status", std::string_view{"disabled"});
  reply.end_stats();
  return nullptr;
}

Job answer_detail(const Words& words, std::uint32_t workers, const SharedState& shared, AdminReply& reply) {
  if (!shared.dump_enabled) {
    return say(reply, "CLIENT_ERROR stats detail not allowed\r\n");
  }
  const std::string_view what = words.size() > 1 ? words[1] : std::string_view{};
  if (what == "on" || what == "off") {
    return make_detail_switch_job(what == "on");
  }
  if (what == "dump") {
    return make_detail_dump_job(workers);
  }
  return say(reply, "CLIENT_ERROR usage: stats detail on|off|dump\r\n");
}

/// `hotkeys`, `hotkeys on [one in so many]`, `hotkeys off`.
Job answer_hot_keys(const Words& words, std::uint32_t workers, const SharedState& shared, AdminReply& reply) {
  if (!shared.dump_enabled) {
    return say(reply, "CLIENT_ERROR stats hotkeys not allowed\r\n");
  }
  if (words.size() == 1) {
    return make_hot_keys_job(workers);
  }
  std::uint32_t sample = words[1] == "on" ? HotKeys::kSampleDefault : 0;
  const bool has_number = words.size() == 3 && words[1] == "on" && parse_number(words[2], sample) && sample > 0 &&
                          sample <= HotKeys::kSampleMax;
  if (!has_number && (words.size() != 2 || (words[1] != "on" && words[1] != "off"))) {
    return say(reply, "CLIENT_ERROR usage: stats hotkeys [on [one in 1 to 1000000]|off]\r\n");
  }
  return make_tune_job([sample](Worker& worker) { worker.sample_hot_keys(sample); });
}

Job answer_cachedump(const Words& words, std::uint32_t workers, const SharedState& shared, AdminReply& reply) {
  if (!shared.dump_enabled) {
    return say(reply, "CLIENT_ERROR stats cachedump not allowed\r\n");
  }
  std::uint32_t id = 0;
  std::uint32_t limit = 0;
  if (words.size() < 3) {
    return say(reply, "CLIENT_ERROR bad command line\r\n");
  }
  if (!parse_number(words[1], id) || !parse_number(words[2], limit)) {
    return say(reply, protocol::reply::kBadFormat);
  }
  if (id > store::kClassesMax) {
    return say(reply, "CLIENT_ERROR Illegal slab id\r\n");
  }
  return make_cachedump_job(workers, id, limit);
}

}  // namespace

Job answer_stats(std::string_view arguments, std::uint32_t workers, SharedState& shared, AdminReply& reply) {
  const Words words = words_of(arguments);
  const std::string_view what = words.empty() ? std::string_view{} : words.front();
  if (what.empty()) {
    return make_general_stats_job(workers, shared);
  }
  if (what == "settings") {
    return tell_settings(shared, reply);
  }
  if (what == "aim") {
    tell_aim(shared.udp_aim_port, workers, shared.hash_seed, reply);
    return nullptr;
  }
  if (what == "workers") {
    return make_workers_stats_job(workers);
  }
  if (what == "hotkeys") {
    return answer_hot_keys(words, workers, shared, reply);
  }
  if (what == "items") {
    return make_items_stats_job(workers);
  }
  if (what == "slabs") {
    return make_slabs_stats_job(workers);
  }
  if (what == "sizes") {
    return answer_sizes(shared, workers, reply);
  }
  if (what == "conns") {
    return make_conns_stats_job(workers);
  }
  if (what == "reset") {
    return make_reset_job();
  }
  if (what == "detail") {
    return answer_detail(words, workers, shared, reply);
  }
  if (what == "cachedump") {
    return answer_cachedump(words, workers, shared, reply);
  }
  return say(reply, protocol::reply::kError);
}

}  // namespace millrace::worker
