#include "dataplane/ip/neighbor.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "base/key_hash.h"

namespace millrace::ip {

using wire::Drop;
using wire::IpAddress;
using wire::MacAddress;

NeighborCache::NeighborCache(std::uint64_t seed)
    : seed_(seed), random_(seed), entries_(kEntries), pending_(kPendingMax) {
  for (std::size_t i = 0; i < kPendingMax; ++i) {
    pending_[i].next = i + 1 < kPendingMax ? static_cast<std::uint16_t>(i + 1) : kNone;
  }
}

std::uint64_t NeighborCache::draw() noexcept {
  random_ += 0x9e37'79b9'7f4a'7c15ULL;  // splitmix64
  std::uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebULL;
  return z ^ (z >> 31);
}

std::size_t NeighborCache::set_of(const IpAddress& address) const noexcept {
  const std::string_view bytes(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  return hash_key(bytes, seed_).bits % (kEntries / kWays) * kWays;
}

NeighborCache::Entry* NeighborCache::find(const IpAddress& address) noexcept {
  for (Entry& entry : std::span(entries_).subspan(set_of(address), kWays)) {
    if (entry.state != State::Free && entry.address == address) {
      return &entry;
    }
  }
  return nullptr;
}

bool NeighborCache::is_known(const IpAddress& target) const noexcept {
  return std::ranges::any_of(std::span(entries_).subspan(set_of(target), kWays), [&](const Entry& entry) {
    return entry.address == target && entry.state != State::Free && entry.state != State::Incomplete &&
           entry.state != State::Failed;
  });
}

NeighborCache::Entry* NeighborCache::make(Instant now, const IpAddress& address) noexcept {
  Entry* victim = nullptr;
  for (Entry& entry : std::span(entries_).subspan(set_of(address), kWays)) {
    if (entry.state == State::Free || entry.state == State::Failed) {
      victim = &entry;
      break;
    }
    // Neither a router nor one that packets wait for makes way: a scan of the network pushes out only its own kind.
    if (entry.state == State::Reachable && !entry.is_router && (victim == nullptr || entry.used_at < victim->used_at)) {
      victim = &entry;
    }
  }
  if (victim == nullptr) {
    return nullptr;
  }
  counters_.evicted += victim->state == State::Reachable ? 1 : 0;
  ++epoch_;
  *victim = Entry{};
  victim->address = address;
  victim->used_at = now;
  return victim;
}

bool NeighborCache::start_asking(Instant now, Entry& entry, State state) noexcept {
  if (!is_asking(entry.state)) {
    if (asking_count_ == kAskingMax) {
      return false;
    }
    asking_[asking_count_++] = static_cast<std::uint16_t>(&entry - entries_.data());
  }
  entry.state = state;
  entry.tries = 0;
  entry.due = now;
  entry.checked_at = now;
  next_due_at_ = std::min(next_due_at_, now);
  return true;
}

void NeighborCache::stop_asking(Entry& entry) noexcept {
  const auto index = static_cast<std::uint16_t>(&entry - entries_.data());
  const auto end = asking_.begin() + static_cast<std::ptrdiff_t>(asking_count_);
  const auto at = std::find(asking_.begin(), end, index);
  MR_ASSERT(at != end);
  *at = asking_[--asking_count_];
}

NeighborCache::Entry* NeighborCache::find_or_ask(Instant now, const IpAddress& target, bool is_router,
                                                 Drop& drop) noexcept {
  Entry* entry = find(target);
  if (entry != nullptr && entry->state == State::Failed) {
    if (now < entry->reachable_until) {
      drop = Drop::NeighborUnreachable;
      return nullptr;
    }
    entry->state = State::Free;
    entry = nullptr;
  }
  if (entry == nullptr) {
    entry = make(now, target);
    if (entry == nullptr || !start_asking(now, *entry, State::Incomplete)) {
      drop = Drop::NeighborTableFull;
      return nullptr;
    }
  }
  entry->used_at = now;
  entry->is_router = is_router;
  return entry;
}

NeighborCache::Reach NeighborCache::reach(Instant now, const IpAddress& target, bool is_router) noexcept {
  Drop drop = Drop::None;
  const Entry* entry = find_or_ask(now, target, is_router, drop);
  return entry == nullptr ? Reach::Nobody : entry->state == State::Incomplete ? Reach::Asking : Reach::Known;
}

NeighborCache::Resolution NeighborCache::resolve(Instant now, const IpAddress& target, bool is_router,
                                                 buf::Packet& packet) noexcept {
  Resolution resolution;
  Entry* entry = find_or_ask(now, target, is_router, resolution.drop);
  if (entry == nullptr) {
    return resolution;
  }
  if (entry->state == State::Incomplete) {
    enqueue(*entry, packet, resolution);
    return resolution;
  }
  if (entry->state == State::Reachable && now >= entry->reachable_until) {
    (void)start_asking(now, *entry, State::Probing);  // no room: next time; the MAC we have is used meanwhile
  }
  return {.is_known = true,
          .mac = entry->mac,
          .until = entry->state == State::Reachable ? entry->reachable_until : Instant{}};
}

void NeighborCache::enqueue(Entry& entry, buf::Packet& packet, Resolution& resolution) noexcept {
  if (entry.pending_count == kPendingPerNeighborMax) {
    const std::uint16_t oldest = pop_pending(entry);  // RFC 4861 7.2.2: the new one takes the oldest's place
    pending_[oldest].packet = buf::Packet{};
    pending_[oldest].next = pending_free_;
    pending_free_ = oldest;
    --pending_used_;
    resolution.drop = Drop::NeighborQueueFull;
  }
  const std::uint16_t slot = pending_free_;
  if (slot == kNone) {
    resolution.drop = Drop::NeighborQueueFull;
    return;
  }
  pending_free_ = pending_[slot].next;
  ++pending_used_;
  pending_[slot].packet = std::move(packet);
  pending_[slot].next = kNone;
  (entry.pending_last == kNone ? entry.pending_first : pending_[entry.pending_last].next) = slot;
  entry.pending_last = slot;
  ++entry.pending_count;
}

std::uint16_t NeighborCache::pop_pending(Entry& entry) noexcept {
  const std::uint16_t slot = entry.pending_first;
  entry.pending_first = pending_[slot].next;
  if (entry.pending_first == kNone) {
    entry.pending_last = kNone;
  }
  --entry.pending_count;
  return slot;
}

void NeighborCache::drop_pending(Entry& entry) noexcept {
  while (entry.pending_first != kNone) {
    const std::uint16_t slot = pop_pending(entry);
    pending_[slot].packet = buf::Packet{};
    pending_[slot].next = pending_free_;
    pending_free_ = slot;
    --pending_used_;
    ++unreachable_;
  }
}

bool NeighborCache::take_ready(buf::Packet& packet, MacAddress& mac) noexcept {
  const std::uint16_t slot = ready_first_;
  if (slot == kNone) {
    return false;
  }
  ready_first_ = pending_[slot].next;
  if (ready_first_ == kNone) {
    ready_last_ = kNone;
  }
  packet = std::move(pending_[slot].packet);
  mac = pending_[slot].mac;
  pending_[slot].next = pending_free_;
  pending_free_ = slot;
  --pending_used_;
  return true;
}

void NeighborCache::confirm(Instant now, Entry& entry, const MacAddress& mac) noexcept {
  if (is_asking(entry.state)) {
    stop_asking(entry);
  }
  epoch_ += entry.mac != mac ? 1 : 0;
  const auto base_ns = kReachableTimeBase.ns;
  entry.state = State::Reachable;
  entry.mac = mac;
  entry.reachable_until =
      now + nanoseconds(base_ns / 2 + static_cast<std::int64_t>(draw() % static_cast<std::uint64_t>(base_ns)));
  while (entry.pending_first != kNone) {
    const std::uint16_t slot = pop_pending(entry);
    pending_[slot].mac = mac;
    pending_[slot].next = kNone;
    (ready_last_ == kNone ? ready_first_ : pending_[ready_last_].next) = slot;
    ready_last_ = slot;
  }
}

void NeighborCache::give_up(Instant now, Entry& entry) noexcept {
  ++epoch_;
  stop_asking(entry);
  drop_pending(entry);
  entry.state = State::Failed;
  entry.reachable_until = now + kHoldDown;
}

bool NeighborCache::on_answer(Instant now, const IpAddress& from, const MacAddress& mac) noexcept {
  Entry* entry = find(from);
  if (entry == nullptr) {
    return false;
  }
  switch (entry->state) {
    case State::Incomplete:
    case State::Failed:  // late, but we had asked
      confirm(now, *entry, mac);
      return true;
    case State::Probing:
    case State::Searching:
      if (entry->mac == mac) {
        confirm(now, *entry, mac);
      } else if (entry->state == State::Searching) {
        ++counters_.changes;
        confirm(now, *entry, mac);
      } else {
        ++counters_.claims;  // its old MAC has still to be heard
      }
      return true;
    case State::Reachable:
      on_claim(now, from, mac);
      return true;
    case State::Free:
      break;
  }
  return false;
}

void NeighborCache::on_request(Instant now, const IpAddress& from, const MacAddress& mac) noexcept {
  Entry* entry = find(from);
  if (entry == nullptr || entry->state == State::Failed) {
    entry = entry != nullptr ? entry : make(now, from);
    if (entry == nullptr) {
      return;
    }
  } else if (entry->state != State::Incomplete) {
    on_claim(now, from, mac);
    return;
  }
  confirm(now, *entry, mac);
  entry->reachable_until = now;  // it has spoken, but has not been seen to hear us
}

void NeighborCache::on_claim(Instant now, const IpAddress& from, const MacAddress& mac) noexcept {
  Entry* entry = find(from);
  if (entry == nullptr || entry->state != State::Reachable || entry->mac == mac) {
    return;
  }
  ++counters_.claims;
  // Once a second is enough for the truth and little for whoever would make us ask.
  if (now - entry->checked_at >= kRetransmitInterval || entry->checked_at == Instant{}) {
    (void)start_asking(now, *entry, State::Probing);
  }
}

bool NeighborCache::next_due(Instant now, Solicitation& out) noexcept {
  if (asking_count_ == 0 || now < next_due_at_) {
    return false;
  }
  next_due_at_ = now + kRetransmitInterval;
  for (std::size_t i = 0; i < asking_count_;) {
    Entry& entry = entries_[asking_[i]];
    if (now < entry.due) {
      next_due_at_ = std::min(next_due_at_, entry.due);
      ++i;
      continue;
    }
    if (entry.state == State::Probing && entry.tries == 1) {
      entry.state = State::Searching;
      entry.tries = 0;
    }
    if (entry.tries == kTriesMax) {
      give_up(now, entry);  // takes it out of asking_: another one is at i now
      continue;
    }
    ++entry.tries;
    entry.due = now + (entry.state == State::Incomplete ? kRetransmitInterval : kProbeInterval);
    out = {.target = entry.address, .asks_everybody = entry.state != State::Probing, .to = entry.mac};
    ++counters_.asked;
    next_due_at_ = now;  // there may be more
    return true;
  }
  return false;
}

}  // namespace millrace::ip
