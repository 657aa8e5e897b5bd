// slabs, lru, lru_crawler, config: what they come to here. Answers are memcached 1.6.45's; where it tunes machinery
// that we do not have, arguments are checked as it checks them and then we say that there is nothing to set.

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/admin/words.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using Words = std::vector<std::string_view>;
using Job = std::unique_ptr<AdminJob>;

constexpr std::string_view kNothingToSet = "SERVER_ERROR there is no such thing to set in this server\r\n";
constexpr std::uint32_t kCrawlSleepUsMax = 1'000'000;

Job say(AdminReply& reply, std::string_view text) {
  reply.line(text);
  return nullptr;
}

// --- lru_crawler

/// `all`, or ids with commas between. 0: one of them is none.
std::uint64_t parse_classes(std::string_view word) {
  if (word == "all") {
    return store::kAllClasses;
  }
  std::uint64_t classes = 0;
  while (!word.empty()) {
    const std::size_t comma = word.find(',');
    const std::string_view id_word = word.substr(0, comma);
    word.remove_prefix(comma == std::string_view::npos ? word.size() : comma + 1);
    std::uint32_t id = 0;
    if (id_word.empty()) {
      continue;
    }
    if (!parse_number(id_word, id) || id == 0 || id > store::kClassesMax) {
      return 0;
    }
    classes |= std::uint64_t{1} << id;
  }
  return classes;
}

Job answer_dump(DumpForm form, std::string_view what, std::uint32_t workers, const SharedState& shared,
                AdminReply& reply) {
  if (!shared.dump_enabled) {
    return say(reply, form == DumpForm::Meta ? "ERROR metadump not allowed\r\n" : "ERROR key dump not allowed\r\n");
  }
  const std::uint64_t classes = what == "hash" ? store::kAllClasses : parse_classes(what);
  if (classes == 0) {
    return say(reply, "BADCLASS invalid class id\r\n");
  }
  return make_dump_job(form, classes, workers);
}

Job answer_crawl(std::string_view what, std::uint32_t workers, SharedState& shared, AdminReply& reply) {
  if (what == "hash") {
    return say(reply, "ERROR an unknown error happened\r\n");
  }
  const std::uint64_t classes = parse_classes(what);
  if (classes == 0) {
    return say(reply, "BADCLASS invalid class id\r\n");
  }
  Tunables& tunables = shared.tunables;
  if (tunables.is_crawling.exchange(true, std::memory_order_acquire)) {
    return say(reply, "BUSY currently processing crawler request\r\n");
  }
  tunables.crawls_started.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t slots = tunables.crawl_slots.load(std::memory_order_relaxed);
  const auto asked = static_cast<std::uint64_t>(std::popcount(classes));
  return make_crawl_job(classes, slots == 0 ? std::numeric_limits<std::uint64_t>::max() : slots * asked, workers,
                        tunables);
}

Job set_crawls(bool on, SharedState& shared, AdminReply& reply) {
  if (shared.tunables.crawls.exchange(on) && on) {
    return say(reply, "ERROR failed to start lru crawler thread\r\n");
  }
  return make_tune_job([on](Worker& worker) { worker.partition().set_crawls(on); });
}

Job set_crawl_sleep(std::string_view word, SharedState& shared, AdminReply& reply) {
  std::uint32_t sleep_us = 0;
  if (!parse_number(word, sleep_us)) {
    return say(reply, protocol::reply::kBadFormat);
  }
  if (sleep_us > kCrawlSleepUsMax) {
    return say(reply, "CLIENT_ERROR sleep must be one second or less\r\n");
  }
  shared.tunables.crawl_sleep_us.store(sleep_us, std::memory_order_relaxed);
  return make_tune_job([sleep_us](Worker& worker) { worker.set_housekeep_every_us(sleep_us); });
}

// --- slabs

Job answer_reassign(const Words& words, std::uint32_t workers, AdminReply& reply) {
  std::int32_t from = 0;
  std::int32_t to = 0;
  if (!parse_number(words[1], from) || !parse_number(words[2], to)) {
    return say(reply, protocol::reply::kBadFormat);
  }
  if (from == to) {
    return say(reply, "SAME src and dst class are identical\r\n");
  }
  constexpr auto kLast = static_cast<std::int32_t>(store::kClassesMax);
  if (from < -1 || from > kLast || to < 0 || to > kLast) {
    return say(reply, kBadClasses);
  }
  // -1 is any class, 0 the pages of none, which whoever needs one gets before those of any class.
  return make_move_page_job(workers, static_cast<std::uint32_t>(std::max(from, 0)), static_cast<std::uint32_t>(to));
}

Job answer_automove(const Words& words, SharedState& shared, AdminReply& reply) {
  std::uint32_t number = 0;
  double ratio = 0;
  if (words[1] == "ratio" || words[1] == "freeratio") {
    return say(reply, words.size() > 2 && parse_number(words[2], ratio) ? kNothingToSet : protocol::reply::kError);
  }
  if (words[1] == "window") {
    if (words.size() < 3 || !parse_number(words[2], number)) {
      return say(reply, protocol::reply::kBadFormat);
    }
    return say(reply, number < 3 || number > 1800
                          ? std::string_view{"CLIENT_ERROR automove window too low or too high\r\n"}
                          : kNothingToSet);
  }
  if (!parse_number(words[1], number)) {
    return say(reply, protocol::reply::kBadFormat);
  }
  if (number > 2) {
    return say(reply, protocol::reply::kError);
  }
  shared.tunables.automove.store(number, std::memory_order_relaxed);
  return make_tune_job([number](Worker& worker) { worker.partition().set_rebalances(number != 0); });
}

}  // namespace

Job answer_lru_crawler(std::string_view arguments, std::uint32_t workers, SharedState& shared, AdminReply& reply) {
  const Words words = words_of(arguments);
  const std::string_view what = words.empty() ? std::string_view{} : words.front();
  if (words.size() == 1 && (what == "enable" || what == "disable")) {
    return set_crawls(what == "enable", shared, reply);
  }
  if (words.size() != 2) {
    return say(reply, protocol::reply::kError);
  }
  if (what == "sleep") {
    return set_crawl_sleep(words[1], shared, reply);
  }
  if (what == "tocrawl") {
    std::uint32_t slots = 0;
    if (!parse_number(words[1], slots)) {
      return say(reply, protocol::reply::kBadFormat);
    }
    shared.tunables.crawl_slots.store(slots, std::memory_order_relaxed);
    return say(reply, protocol::reply::kOk);
  }
  const bool is_dump = what == "metadump" || what == "mgdump";
  if (!is_dump && what != "crawl") {
    return say(reply, protocol::reply::kError);
  }
  if (!shared.tunables.crawls.load(std::memory_order_relaxed)) {
    return say(reply, "CLIENT_ERROR lru crawler disabled\r\n");
  }
  return is_dump
             ? answer_dump(what == "metadump" ? DumpForm::Meta : DumpForm::MetaGets, words[1], workers, shared, reply)
             : answer_crawl(words[1], workers, shared, reply);
}

Job answer_slabs(std::string_view arguments, std::uint32_t workers, SharedState& shared, AdminReply& reply) {
  const Words words = words_of(arguments);
  if (words.size() == 3 && words[0] == "reassign") {
    return answer_reassign(words, workers, reply);
  }
  if (words.size() >= 2 && words[0] == "automove") {
    return answer_automove(words, shared, reply);
  }
  return say(reply, protocol::reply::kError);
}

void answer_lru(std::string_view arguments, AdminReply& reply) {
  const Words words = words_of(arguments);
  const std::string_view what = words.empty() ? std::string_view{} : words.front();
  std::string_view answer = protocol::reply::kError;
  if (what == "mode" && words.size() >= 2) {
    // Every class is one ring with one hand.
    answer = words[1] == "flat" ? protocol::reply::kOk : words[1] == "segmented" ? kNothingToSet : answer;
  } else if (what == "tune" && words.size() >= 5) {
    std::uint32_t hot = 0;
    std::uint32_t warm = 0;
    double hot_factor = 0;
    double warm_factor = 0;
    if (parse_number(words[1], hot) && parse_number(words[2], warm) && parse_number(words[3], hot_factor) &&
        parse_number(words[4], warm_factor)) {
      answer = std::uint64_t{hot} + warm > 80 ? std::string_view{"ERROR hot and warm pcts must not exceed 80\r\n"}
               : hot_factor <= 0 || warm_factor <= 0
                   ? std::string_view{"ERROR hot/warm age factors must be greater than 0\r\n"}
                   : kNothingToSet;
    }
  } else if (what == "temp_ttl" && words.size() >= 2) {
    std::int32_t ttl = 0;
    if (parse_number(words[1], ttl)) {
      answer = ttl < 0 ? protocol::reply::kOk : kNothingToSet;
    }
  }
  reply.line(answer);
}

void answer_config(std::string_view arguments, const SharedState& shared, AdminReply& reply) {
  const Words words = words_of(arguments);
  const bool is_known = words.size() == 2 && words[0] == "get" && words[1] == "cluster";
  reply.line(is_known && !shared.cluster_config.empty() ? std::string_view{shared.cluster_config}
                                                        : protocol::reply::kError);
}

}  // namespace millrace::worker
