// Commands that are not about one key.

#include <csignal>
#include <string>

#include "auth/authenticator.h"
#include "protocol/reply.h"
#include "worker/admin/jobs.h"
#include "worker/admin/words.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using protocol::Command;
using protocol::Request;

constexpr std::uint64_t kMemlimitMinMib = 8;
constexpr std::uint64_t kMemlimitMaxMib = 1'000'000'000;

}  // namespace

/// `watch [what]...`; nothing named: fetchers, as in memcached.
std::string_view Worker::answer_watch(Connection& connection, std::string_view arguments) noexcept {
  if (!shared_.watch_enabled) {
    return "CLIENT_ERROR watch commands not allowed\r\n";
  }
  if (connection.is_exchange) {
    return "CLIENT_ERROR a watcher needs a connection\r\n";
  }
  std::uint16_t wanted = 0;
  for (const std::string_view word : words_of(arguments)) {
    const Watched what = watched_of(word);
    if (what == kWatchNothing) {
      return protocol::reply::kError;
    }
    wanted |= what;
  }
  return add_watcher(connection, wanted != 0 ? wanted : std::uint16_t{kWatchFetchers});
}

void Worker::execute_admin(Connection& connection, const Request& request) noexcept {
  execute_batch();
  if (connection.refused != 0 && (connection.refused & parts_of(request.command, request.key)) != 0) {
    refuse_command(connection, request);
    return;
  }
  if (request.dialect == protocol::Dialect::Binary) {
    execute_binary_admin(connection, request);
    return;
  }
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
  TextReply text;
  const auto answer = [&](std::unique_ptr<AdminJob> job) {
    if (job == nullptr) {
      reply(text.take());
    } else if (job->kind == JobKind::Steps && connection.is_exchange) {
      reply("CLIENT_ERROR a dump needs a connection\r\n");
    } else {
      start(std::move(job));
    }
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
    case Command::Login:
      reply(answer_login(connection, request));
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
      if (request.number > kMemlimitMaxMib) {
        reply("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n");
        return;
      }
      start(make_memlimit_job(workers_, request.number << 20, shared_.tunables));
      return;
    case Command::Stats:
      answer(answer_stats(request.key, workers_, shared_, text));
      return;
    case Command::Watch:
      reply(answer_watch(connection, request.key));
      return;
    case Command::LruCrawler:
      answer(answer_lru_crawler(request.key, workers_, shared_, text));
      return;
    case Command::Slabs:
      answer(answer_slabs(request.key, workers_, shared_, text));
      return;
    case Command::Lru:
      answer_lru(request.key, text);
      answer(nullptr);
      return;
    case Command::Config:
      answer_config(request.key, shared_, text);
      answer(nullptr);
      return;
    default:
      break;
  }
  MR_UNREACHABLE();
}

std::string_view Worker::answer_login(Connection& connection, const Request& request) noexcept {
  MR_ASSERT(shared_.authenticator != nullptr);  // the session asks for a login only then
  ++counters_.auth_cmds;
  if (!shared_.authenticator->admits(request.key, request.value)) {
    ++counters_.auth_errors;
    return protocol::reply::kAuthFailure;
  }
  connection.session.admit();
  return protocol::reply::kStored;
}

}  // namespace millrace::worker
