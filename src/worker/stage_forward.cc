// To the core that owns the key, and what happens when its lane is full.

#include <algorithm>
#include <cstring>

#include "worker/copy_bytes.h"
#include "worker/worker.h"

namespace millrace::worker {

void Worker::forward(Connection& connection, WorkerId owner, const protocol::Request& request, KeyHash hash,
                     std::uint64_t token) noexcept {
  ++counters_.asks_sent;
  if (request.value.size() > mesh::kMessageValueBytesMax) {
    reserve_remotely(connection, owner, request, hash, token);
    return;
  }
  const mesh::Ask ask{.kind = mesh::AskKind::Execute,
                      .detail = static_cast<std::uint8_t>(request.command),
                      .key_bytes = static_cast<std::uint8_t>(request.key.size()),
                      .extra_bytes = request.extra_bytes,
                      .dialect = static_cast<std::uint8_t>(request.dialect),
                      .hash = hash.bits,
                      .token = token,
                      .number = request.number,
                      .flags = request.flags,
                      .expires_at = expiry_of(request.exptime),
                      .value_bytes = static_cast<std::uint32_t>(request.value.size())};
  push_or_park(&connection, owner, ask, {.key = request.key, .extra = request.extra(), .value = request.value});
}

bool Worker::push_ask(WorkerId owner, const mesh::Ask& ask, const AskText& text) noexcept {
  const auto& [key, extra, value] = text;
  MR_DCHECK(owner != id_ && key.size() <= mesh::kKeyBytesMax && value.size() <= mesh::kMessageValueBytesMax);
  MR_DCHECK(extra.size() == ask.extra_bytes && extra.size() <= mesh::kExtraBytesMax);
  const std::uint32_t slots = mesh::slots_for(sizeof(ask) + key.size() + extra.size() + value.size());
  std::byte* run = port_.asks_to(owner).reserve(slots);
  if (run == nullptr) {
    return false;
  }
  mesh::Ask sent = ask;
  sent.slots = static_cast<std::uint16_t>(slots);
  std::memcpy(run, &sent, sizeof(sent));
  copy_bytes(run + sizeof(sent), key);
  copy_bytes(run + sizeof(sent) + key.size(), extra);
  copy_bytes(run + sizeof(sent) + key.size() + extra.size(), value);
  port_.asks_to(owner).commit(slots);
  return true;
}

void Worker::push_or_park(Connection* connection, WorkerId owner, const mesh::Ask& ask, const AskText& text) noexcept {
  // What is parked goes first, so that small asks cannot keep a large one waiting for ever.
  if (parked_for_[owner] == 0 && push_ask(owner, ask, text)) {
    return;
  }
  auto parked = std::make_unique<ParkedAsk>();
  parked->connection = connection;
  parked->owner = owner;
  parked->ask = ask;
  parked->key = text.key;
  parked->extra = text.extra;
  parked->value = text.value;
  parked_.push_back(std::move(parked));
  ++parked_for_[owner];
  if (connection != nullptr) {
    connection->blocked |= kBlockedByLane;
    ++counters_.parked_on_full_lane;
  }
}

bool Worker::retry_parked() noexcept {
  if (parked_.empty()) {
    return false;
  }
  std::size_t kept = 0;
  bool any = false;
  for (std::size_t i = 0; i < parked_.size(); ++i) {
    std::unique_ptr<ParkedAsk> parked = std::move(parked_[i]);
    const AskText text{.key = parked->key, .extra = parked->extra, .value = parked->value};
    if (!push_ask(parked->owner, parked->ask, text)) {
      parked_[kept++] = std::move(parked);
      continue;
    }
    any = true;
    --parked_for_[parked->owner];
    if (parked->connection != nullptr) {
      unblock(*parked->connection, kBlockedByLane);
    }
  }
  parked_.resize(kept);
  return any;
}

void Worker::cancel_parked(Connection& connection) noexcept {
  for (auto& parked : parked_) {
    if (parked->connection != &connection) {
      continue;
    }
    parked->connection = nullptr;
    // It goes out all the same: the request was taken, and its hole (an orphan by then) is freed by the answer. A value
    // that was being reserved is given back when the answer finds nobody.
  }
}

}  // namespace millrace::worker
