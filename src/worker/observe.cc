// What is looked at closely while somebody wants it: `stats detail` counts prefixes, `stats hotkeys` samples keys,
// `watch` writes lines. Cold: reached by one branch on Worker::observes_, which is false as a rule.
//
// Lines are memcached's. gid rises within a worker, and no two workers use the same one. cfd is the number that `stats
// conns` has for the connection, -1 where the worker that owns the key was not told it.

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "worker/admin/key_text.h"
#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

std::string_view command_word(protocol::Command command) noexcept {
  switch (command) {
    case protocol::Command::Set:
      return "set";
    case protocol::Command::Add:
      return "add";
    case protocol::Command::Replace:
      return "replace";
    case protocol::Command::Append:
      return "append";
    case protocol::Command::Prepend:
      return "prepend";
    case protocol::Command::Cas:
      return "cas";
    default:
      return "na";
  }
}

std::string_view status_word(store::Outcome outcome) noexcept {
  switch (outcome) {
    case store::Outcome::Stored:
      return "stored";
    case store::Outcome::Exists:
      return "exists";
    case store::Outcome::NotFound:
      return "not_found";
    case store::Outcome::TooLarge:
      return "too_large";
    case store::Outcome::OutOfMemory:
      return "no_memory";
    default:
      return "not_stored";
  }
}

void add_number(std::string& line, std::string_view name, std::int64_t number) {
  line.append(name).append(std::to_string(number));
}

/// `tcp:127.0.0.1:4711`, `tcp6:[::1]:4711`, `unix:...` as ` rip=127.0.0.1 rport=4711 transport=tcp`.
void add_peer(std::string& line, std::string_view peer) {
  const std::size_t colon = peer.rfind(':');
  if (!peer.starts_with("tcp") || colon == std::string_view::npos) {
    line.append(peer.empty() ? " rip=unknown rport=0 transport=tcp" : " rip=unix rport=0 transport=local");
    return;
  }
  std::string_view address = peer.substr(0, colon);
  address.remove_prefix(address.find(':') + 1);
  if (address.starts_with('[')) {
    address = address.substr(1, address.size() - 2);
  }
  line.append(" rip=").append(address).append(" rport=").append(peer.substr(colon + 1)).append(" transport=tcp");
}

}  // namespace

/// `ts=<s>.<us> gid=<n> type=<type>`.
std::string Worker::begin_watched_line(std::string_view type) {
  const std::int64_t us = clock_.wall_us();
  char text[96];
  const int size = std::snprintf(
      text, sizeof(text), "ts=%lld.%06lld gid=%llu type=", static_cast<long long>(us / 1'000'000),
      static_cast<long long>(us % 1'000'000), static_cast<unsigned long long>(watch_log_.next_line() * workers_ + id_));
  std::string line(text, static_cast<std::size_t>(size));
  return line.append(type);
}

void Worker::observe_get(const Operation& operation, const store::Item* item, std::int64_t connection) noexcept {
  if (prefix_stats_.is_enabled()) {
    prefix_stats_.count_get(operation.key.bytes, item != nullptr);
  }
  if (hot_keys_ != nullptr && hot_keys_->takes()) {
    hot_keys_->count(operation.key.bytes, operation.key.hash, false, item != nullptr ? item->value_bytes() : 0);
  }
  if ((watch_log_.mask() & kWatchFetchers) == 0) {
    return;
  }
  std::string line = begin_watched_line("item_get key=");
  append_uri(line, operation.key.bytes);
  line.append(item != nullptr ? " status=found" : " status=not_found");
  add_number(line, " clsid=", item != nullptr ? partition_.class_id_of(*item) : 0);
  add_number(line, " cfd=", connection);
  add_number(line, " size=", item != nullptr ? item->value_bytes() : 0);
  watch_log_.add(kWatchFetchers, line.append("\n"));
}

void Worker::observe_store(const Operation& operation, store::Outcome outcome, std::uint32_t value_bytes,
                           std::int64_t connection) noexcept {
  if (prefix_stats_.is_enabled()) {
    prefix_stats_.count_set(operation.key.bytes);
  }
  if (hot_keys_ != nullptr && hot_keys_->takes()) {
    hot_keys_->count(operation.key.bytes, operation.key.hash, true, value_bytes);
  }
  if ((watch_log_.mask() & kWatchMutations) == 0) {
    return;
  }
  const store::Item* item = outcome == store::Outcome::Stored ? partition_.peek(operation.key, now_s_) : nullptr;
  std::string line = begin_watched_line("item_store key=");
  append_uri(line, operation.key.bytes);
  line.append(" status=").append(status_word(outcome)).append(" cmd=").append(command_word(operation.command));
  const bool expires = operation.expires_at != store::kNever;
  add_number(line, " ttl=", expires ? std::max<std::int64_t>(std::int64_t{operation.expires_at} - now_s_, 0) : 0);
  add_number(line, " clsid=", item != nullptr ? partition_.class_id_of(*item) : 0);
  add_number(line, " cfd=", connection);
  add_number(line, " size=", value_bytes);
  watch_log_.add(kWatchMutations, line.append("\n"));
}

/// Before it is deleted.
void Worker::observe_delete(const Operation& operation) noexcept {
  if (prefix_stats_.is_enabled()) {
    prefix_stats_.count_delete(operation.key.bytes);
  }
  if (hot_keys_ != nullptr && hot_keys_->takes()) {
    hot_keys_->count(operation.key.bytes, operation.key.hash, true, 0);
  }
  if ((watch_log_.mask() & kWatchDeletions) == 0) {
    return;
  }
  const store::Item* item = partition_.peek(operation.key, now_s_);
  if (item == nullptr) {
    return;
  }
  std::string line = begin_watched_line("deleted key=");
  append_uri(line, operation.key.bytes);
  line.append(operation.dialect == protocol::Dialect::Meta ? " cmd=md" : " cmd=delete");
  add_number(line, " clsid=", partition_.class_id_of(*item));
  add_number(line, " size=", item->value_bytes());
  watch_log_.add(kWatchDeletions, line.append("\n"));
}

bool Worker::EvictionWatcher::visit(const store::Item& item) noexcept {
  Worker& w = worker;
  std::string line = w.begin_watched_line("eviction key=");
  append_uri(line, item.key());
  line.append(item.was_fetched() ? " fetch=yes" : " fetch=no");
  add_number(line, " ttl=", item.expires_at() == store::kNever ? -1 : std::int64_t{item.expires_at()} - w.now_s_);
  add_number(line, " la=", w.partition_.age(item, w.now_s_));  // an item does not keep when it was last asked for
  add_number(line, " clsid=", w.partition_.class_id_of(item));
  add_number(line, " size=", item.value_bytes());
  w.watch_log_.add(kWatchEvictions, line.append("\n"));
  return true;
}

/// Which address it has is known only while the connection is there.
void Worker::remember_peer(Connection& connection) noexcept {
  if (connection.peer == nullptr) {
    connection.peer = std::make_unique<std::string>(transport_.peer_text(connection.id));
  }
}

void Worker::observe_open(Connection& connection) noexcept {
  remember_peer(connection);
  std::string line = begin_watched_line("conn_new");
  add_peer(line, *connection.peer);
  add_number(line, " cfd=", number_of(connection.id));
  watch_log_.add(kWatchConnevents, line.append("\n"));
}

void Worker::observe_close(Connection& connection, dataplane::CloseReason reason) noexcept {
  std::string line = begin_watched_line("conn_close");
  add_peer(line, connection.peer != nullptr ? std::string_view{*connection.peer} : std::string_view{});
  line.append(connection.is_idle_kicked                 ? " reason=idle_timeout"
              : reason == dataplane::CloseReason::Reset ? " reason=error"
              : is_draining_                            ? " reason=shutdown"
                                                        : " reason=normal");
  add_number(line, " cfd=", number_of(connection.id));
  watch_log_.add(kWatchConnevents, line.append("\n"));
}

// --- watchers: those of the clients of this worker

std::string_view Worker::add_watcher(Connection& connection, std::uint16_t wanted) noexcept {
  const auto slot = shared_.watch_board.enter(id_, wanted);
  if (!slot) {
    return "WATCHER_TOO_MANY log watcher limit reached\r\n";
  }
  watchers_.push_back({.connection = connection.id, .wanted = wanted, .slot = *slot});
  connection.blocked |= kWatches;
  read_watch_board();
  return protocol::reply::kOk;
}

void Worker::remove_watcher(const Connection& connection) noexcept {
  const auto watcher =
      std::ranges::find_if(watchers_, [&](const Watcher& one) { return one.connection == connection.id; });
  MR_ASSERT(watcher != watchers_.end());
  shared_.watch_board.leave(watcher->slot);
  watchers_.erase(watcher);
  read_watch_board();
}

void Worker::read_watch_board() noexcept {
  watch_log_.read(shared_.watch_board);
  partition_.watch_evictions((watch_log_.mask() & kWatchEvictions) != 0 ? &eviction_watcher_ : nullptr);
  set_observes();
}

void Worker::set_observes() noexcept {
  observes_ = watch_log_.mask() != 0 || prefix_stats_.is_enabled() || hot_keys_ != nullptr;
}

void Worker::count_prefixes(bool on) noexcept {
  prefix_stats_.enable(on);
  set_observes();
}

void Worker::sample_hot_keys(std::uint32_t sample) {
  hot_keys_ = sample == 0 ? nullptr : std::make_unique<HotKeys>(sample, shared_.hash_seed + id_);
  set_observes();
}

/// What the turn has said goes to those who watch; what does not go now waits in its outlet.
void Worker::send_watched() noexcept {
  for (WorkerId home = 0; home < workers_; ++home) {
    WatchLog::Outlet& outlet = watch_log_.outlets()[home];
    if (outlet.waiting.lines.empty()) {
      continue;
    }
    if (home == id_) {
      watch_log_.took(outlet.waiting.lines.size());
      take_watched(outlet.waiting);
      outlet.waiting.clear();
      continue;
    }
    if (outlet.parcel == nullptr) {
      outlet.parcel = std::make_unique<WatchParcel>();
    }
    if (outlet.parcel->is_under_way()) {
      continue;
    }
    AdminJob& parcel = *outlet.parcel;
    const mesh::Ask ask{.kind = mesh::AskKind::Visit, .token = reinterpret_cast<std::uint64_t>(&parcel)};
    if (!push_ask(home, ask, {})) {
      continue;
    }
    ++parcel.round.out;
    watch_log_.took(outlet.waiting.lines.size());
    outlet.parcel->content.clear();
    std::swap(outlet.parcel->content, outlet.waiting);
  }
}

void WatchParcel::visit(Worker& home) { home.take_watched(content); }

/// Each watcher gets the lines it wants; one that has not read enough of what it was sent gets none and is told how
/// many it missed when it has.
void Worker::take_watched(const WatchLines& lines) noexcept {
  for (Watcher& watcher : watchers_) {
    Connection* connection = connections_.find(watcher.connection);
    if (connection == nullptr || connection->close_requested) {
      continue;
    }
    std::string text;
    std::uint64_t count = 0;
    std::uint32_t begin = 0;
    for (const WatchLines::Line& line : lines.lines) {
      if ((line.kind & watcher.wanted) != 0) {
        text.append(lines.text, begin, line.end - begin);
        ++count;
      }
      begin = line.end;
    }
    if (count == 0) {
      continue;
    }
    if (!connection->replies.is_below_half_limit()) {
      watcher.skipped += count;
      counters_.log_watcher_skipped += count;
      continue;
    }
    if (watcher.skipped > 0) {
      connection->replies.append(memory_, "skipped=" + std::to_string(watcher.skipped) + "\n");
      watcher.skipped = 0;
    }
    counters_.log_watcher_sent += count;
    connection->replies.append(memory_, text);
    want_send(*connection);
  }
}

}  // namespace millrace::worker
