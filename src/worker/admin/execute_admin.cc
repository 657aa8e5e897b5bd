// Commands that are not about one key.

#include <charconv>
#include <csignal>
#include <string>
#include <vector>

#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/admin/stat_lines.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using protocol::Command;
using protocol::Request;

constexpr std::uint64_t kMemlimitMinMib = 8;

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
      return words;
    }
    const std::size_t end = text.find(' ', begin);
    words.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) {
      return words;
    }
    text.remove_prefix(end);
  }
}

bool parse_number(std::string_view word, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

std::string settings_text(const SharedState& shared) {
  StatLines out;
  for (const auto& [name, value] : shared.settings) {
    if (name == "verbosity") {
      out.add(name, shared.verbosity.load(std::memory_order_relaxed));
    } else {
      out.add(name, value);
    }
  }
  return std::move(out).end();
}

/// What a `stats` sub-command comes to: a job for all workers, or a reply at once.
struct StatsAnswer {
  std::unique_ptr<AdminJob> job;
  std::string text;
};

StatsAnswer stats_detail(const std::vector<std::string_view>& words, std::uint32_t workers) {
  const std::string_view what = words.size() > 1 ? words[1] : std::string_view{};
  if (what == "on" || what == "off") {
    return {make_detail_switch_job(what == "on"), {}};
  }
  if (what == "dump") {
    return {make_detail_dump_job(workers), {}};
  }
  return {nullptr, "CLIENT_ERROR usage: stats detail on|off|dump\r\n"};
}

StatsAnswer stats_cachedump(const std::vector<std::string_view>& words, std::uint32_t workers,
                            const SharedState& shared) {
  if (!shared.dump_enabled) {
    return {nullptr, "CLIENT_ERROR stats cachedump not allowed\r\n"};
  }
  std::uint32_t id = 0;
  std::uint32_t limit = 0;
  if (words.size() < 3) {
    return {nullptr, "CLIENT_ERROR bad command line\r\n"};
  }
  if (!parse_number(words[1], id) || !parse_number(words[2], limit)) {
    return {nullptr, std::string{protocol::reply::kBadFormat}};
  }
  if (id > store::kClassesMax) {
    return {nullptr, "CLIENT_ERROR Illegal slab id\r\n"};
  }
  return {make_cachedump_job(workers, id, limit), {}};
}

StatsAnswer stats_answer(std::string_view arguments, std::uint32_t workers, SharedState& shared) {
  const std::vector<std::string_view> words = words_of(arguments);
  if (words.empty()) {
    return {make_general_stats_job(workers, shared), {}};
  }
  const std::string_view what = words.front();
  if (what == "settings") {
    return {nullptr, settings_text(shared)};
  }
  if (what == "aim") {
    return {nullptr, aim_text(shared.udp_aim_port, workers, shared.hash_seed)};
  }
  if (what == "items") {
    return {make_items_stats_job(workers), {}};
  }
  if (what == "slabs") {
    return {make_slabs_stats_job(workers), {}};
  }
  if (what == "sizes") {
    if (!shared.tracks_sizes) {
      return {nullptr, "STAT sizes_status disabled\r\nEND\r\n"};
    }
    return {make_sizes_stats_job(workers), {}};
  }
  if (what == "conns") {
    return {make_conns_stats_job(workers), {}};
  }
  if (what == "reset") {
    return {make_reset_job(), {}};
  }
  if (what == "detail") {
    return stats_detail(words, workers);
  }
  if (what == "cachedump") {
    return stats_cachedump(words, workers, shared);
  }
  return {nullptr, std::string{protocol::reply::kError}};
}

}  // namespace

void Worker::execute_admin(Connection& connection, const Request& request) noexcept {
  execute_batch();
  const auto reply = [&](std::string_view text) {
    if (!request.noreply) {
      connection.replies.append(memory_, text);
    }
    want_send(connection);
  };
  const auto start = [&](std::unique_ptr<AdminJob> job) {
    job->round.noreply = request.noreply;
    start_job(connection, std::move(job));
  };
  switch (request.command) {
    case Command::Version:
      reply("VERSION " + std::string{kVersionText} + "\r\n");
      return;
    case Command::MetaNoop:
      reply(protocol::reply::kMetaNoop);
      return;
    case Command::Verbosity:
      shared_.verbosity.store(static_cast<std::uint32_t>(std::min<std::uint64_t>(request.number, 2)),
                              std::memory_order_relaxed);
      reply(protocol::reply::kOk);
      return;
    case Command::Quit:
      connection.is_closing = true;
      connection.blocked |= kBlockedByClose;
      want_send(connection);
      return;
    case Command::Shutdown:
      if (!shared_.shutdown_enabled) {
        reply(protocol::reply::kShutdownDisabled);
        return;
      }
      shared_.stop_signal.store(request.has_argument ? SIGUSR1 : SIGINT, std::memory_order_seq_cst);
      shared_.stop();
      return;
    case Command::FlushAll: {
      ++counters_.cmd_flush;
      if (!shared_.flush_enabled) {
        reply("CLIENT_ERROR flush_all not allowed\r\n");
        return;
      }
      if (request.exptime <= 0) {
        start(make_flush_job(now_s_));
      } else if (const store::Seconds at = expiry_of(request.exptime); at != store::kAlreadyExpired) {
        start(make_flush_job(at));
      } else {  // a date that has passed: nothing is flushed, as in memcached
        reply(protocol::reply::kOk);
      }
      return;
    }
    case Command::CacheMemlimit:
      if (request.number < kMemlimitMinMib) {
        reply("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n");
        return;
      }
      start(make_memlimit_job(workers_, request.number << 20));
      return;
    case Command::Stats: {
      StatsAnswer answer = stats_answer(request.key, workers_, shared_);
      if (answer.job != nullptr) {
        start(std::move(answer.job));
      } else {
        reply(answer.text);
      }
      return;
    }
    default:
      break;
  }
  MR_UNREACHABLE();
}

}  // namespace millrace::worker
