#include "dataplane/ip/reassembly.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "dataplane/wire/ipv4.h"

namespace millrace::ip {

using wire::Drop;

Reassembler::Reassembler(const ReassemblyOptions& options)
    : options_(options),
      datagrams_(options.datagrams_max),
      memory_(std::make_unique_for_overwrite<std::byte[]>(options.datagrams_max * kDatagramBytesMax)) {
  MR_ASSERT(options.datagrams_max > 0);
}

Reassembler::Datagram* Reassembler::find(const Arrived& fragment) noexcept {
  for (Datagram& datagram : datagrams_) {
    // The protocol tells datagrams apart in IPv4 only (RFC 791 3.2, RFC 8200 4.5).
    if ((datagram.state == State::Waiting || datagram.state == State::Poisoned) &&
        datagram.id == fragment.fragment.id && datagram.source == fragment.source &&
        datagram.destination == fragment.destination &&
        (!fragment.source.is_v4() || datagram.protocol == fragment.protocol)) {
      return &datagram;
    }
  }
  return nullptr;
}

void Reassembler::free(Datagram& datagram) noexcept {
  if (datagram.state == State::Whole) {
    --whole_;
  } else if (datagram.state != State::Free) {
    --waiting_;
  }
  datagram.state = State::Free;
}

Reassembler::Datagram& Reassembler::make_room(wire::DropCounters& counters) noexcept {
  Datagram* oldest = nullptr;
  for (Datagram& datagram : datagrams_) {
    if (datagram.state == State::Free) {
      return datagram;
    }
    if (datagram.state != State::Whole && (oldest == nullptr || datagram.first_at < oldest->first_at)) {
      oldest = &datagram;
    }
  }
  MR_ASSERT(oldest != nullptr);  // add() leaves one that is not lent
  if (oldest->state == State::Waiting) {
    counters.count(Drop::FragmentEvicted);
  }
  free(*oldest);
  return *oldest;
}

Drop Reassembler::place(Datagram& datagram, const Arrived& fragment) noexcept {
  const std::uint32_t begin = fragment.fragment.offset_bytes;
  const auto bytes = static_cast<std::uint32_t>(fragment.payload.size());
  const std::uint32_t end = begin + bytes;
  const std::uint32_t unit_begin = begin / 8;
  const std::uint32_t unit_end = (end + 7) / 8;
  // Input has checked it: whole blocks but for the last, and no end beyond 65,535.
  MR_ASSERT(end <= kDatagramBytesMax && bytes > 0);
  std::uint32_t there = 0;
  for (std::uint32_t unit = unit_begin; unit < unit_end; ++unit) {
    there += static_cast<std::uint32_t>(datagram.has_unit[unit / 64] >> (unit % 64)) & 1;
  }
  std::byte* memory = memory_of(datagram);
  if (there == unit_end - unit_begin) {
    // All of it is there: a copy by the network when it says the same (RFC 8200 4.5 allows to drop it alone).
    const bool says_same_end =
        fragment.fragment.more ? datagram.bytes == 0 || end < datagram.bytes : datagram.bytes == end;
    return says_same_end && end <= datagram.bytes_end &&
                   std::memcmp(memory + begin, fragment.payload.data(), bytes) == 0
               ? Drop::FragmentDuplicate
               : Drop::FragmentOverlap;
  }
  const bool contradicts_end = (datagram.bytes != 0 && (end > datagram.bytes || !fragment.fragment.more)) ||
                               (!fragment.fragment.more && datagram.bytes_end > end);
  if (there != 0 || contradicts_end) {
    return Drop::FragmentOverlap;
  }
  if (++datagram.fragments > kFragmentsMax) {
    return Drop::FragmentTooMany;
  }
  std::memcpy(memory + begin, fragment.payload.data(), bytes);
  for (std::uint32_t unit = unit_begin; unit < unit_end; ++unit) {
    datagram.has_unit[unit / 64] |= std::uint64_t{1} << (unit % 64);
  }
  datagram.units += unit_end - unit_begin;
  datagram.bytes_end = std::max(datagram.bytes_end, end);
  if (!fragment.fragment.more) {
    datagram.bytes = end;
  }
  if (begin == 0) {
    datagram.protocol = fragment.protocol;  // of IPv6 the first fragment's next header counts
  }
  return Drop::None;
}

ReassemblyOutcome Reassembler::add(Instant now, const Arrived& fragment, wire::DropCounters& counters) noexcept {
  if (fragment.fragment.offset_bytes == 0 && !fragment.fragment.more) {
    return {.is_whole = true, .protocol = fragment.protocol, .payload = fragment.payload};
  }
  if (fragment.protocol == wire::kProtocolTcp) {
    return {.drop = Drop::FragmentProtocol};  // we never let TCP be fragmented, and a SYN in two hides its ports
  }
  Datagram* datagram = find(fragment);
  if (datagram != nullptr && now - datagram->first_at > options_.lifetime) {
    counters.count(Drop::FragmentTimeout);
    free(*datagram);
    datagram = nullptr;
  }
  if (datagram == nullptr) {
    if (whole_ == datagrams_.size()) {
      return {.drop = Drop::FragmentEvicted};  // all are lent until the burst's end
    }
    datagram = &make_room(counters);
    datagram->state = State::Waiting;
    datagram->protocol = fragment.protocol;
    datagram->fragments = 0;
    datagram->id = fragment.fragment.id;
    datagram->bytes = 0;
    datagram->bytes_end = 0;
    datagram->units = 0;
    datagram->first_at = now;
    datagram->source = fragment.source;
    datagram->destination = fragment.destination;
    datagram->has_unit.fill(0);
    ++waiting_;
  }
  if (datagram->state == State::Poisoned) {
    return {.drop = Drop::FragmentOverlap};
  }
  const Drop drop = place(*datagram, fragment);
  if (drop == Drop::FragmentOverlap || drop == Drop::FragmentTooMany) {
    datagram->state = State::Poisoned;
  }
  if (drop != Drop::None || datagram->bytes == 0 || datagram->units != (datagram->bytes + 7) / 8) {
    return {.drop = drop};
  }
  --waiting_;
  ++whole_;
  datagram->state = State::Whole;
  return {.is_whole = true, .protocol = datagram->protocol, .payload = {memory_of(*datagram), datagram->bytes}};
}

void Reassembler::release_whole() noexcept {
  for (Datagram& datagram : datagrams_) {
    if (whole_ == 0) {
      return;
    }
    if (datagram.state == State::Whole) {
      free(datagram);
    }
  }
}

void Reassembler::expire(Instant now, wire::DropCounters& counters) noexcept {
  if (waiting_ == 0) {
    return;
  }
  for (Datagram& datagram : datagrams_) {
    if ((datagram.state == State::Waiting || datagram.state == State::Poisoned) &&
        now - datagram.first_at > options_.lifetime) {
      if (datagram.state == State::Waiting) {
        counters.count(Drop::FragmentTimeout);
      }
      free(datagram);
    }
  }
}

}  // namespace millrace::ip
