// Fragments on their way to the core that puts their datagram together. Only the first of a datagram's fragments has
// ports, and a device may bring them to different queues: so each datagram in fragments has one core, drawn by a hash
// of what all its fragments say, and whoever gets one of another core's hands it over.
//
// Threads: give() on any core; take(), rest() and rise() of `core` on that core alone. Ownership: made before the
// cores' stacks and outlives them; what is given is copied. No locks: a bounded ring a core, many writers, one reader;
// a place is a writer's when its number says so (Vyukov). Full: the fragment is the giver's to drop and count. Bounded:
// kPlaces a core; give() tries kTries times when others are at it. Invariant: a place is whole or not taken: its number
// is written last.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/attributes.h"
#include "dataplane/api/transport.h"
#include "dataplane/ip/input.h"

namespace millrace::stack {

class FragmentExchange {
 public:
  static constexpr std::uint64_t kPlaces = 128;  ///< two of the longest datagrams there are, through an MTU of 1,500

  /// `seed`: secret, so that nobody can have one core put all of them together.
  FragmentExchange(std::size_t cores, std::uint64_t seed, std::uint16_t mtu) : seed_(seed), mtu_(mtu), lanes_(cores) {
    for (Lane& lane : lanes_) {
      lane.bytes = std::make_unique_for_overwrite<std::byte[]>(kPlaces * mtu);
      for (std::uint64_t i = 0; i < kPlaces; ++i) {
        lane.places[i].number.store(i, std::memory_order_relaxed);
      }
    }
  }

  [[nodiscard]] std::size_t core_of(const ip::Arrived& fragment) const noexcept {
    std::uint64_t words[4];
    std::memcpy(words, fragment.source.bytes.data(), 16);
    std::memcpy(words + 2, fragment.destination.bytes.data(), 16);
    std::uint64_t mixed = seed_ ^ fragment.fragment.id;
    for (const std::uint64_t word : words) {
      mixed = (mixed ^ word) * 0x9e37'79b9'7f4a'7c15ULL;
      mixed ^= mixed >> 32;
    }
    return static_cast<std::size_t>((mixed & 0xffff'ffffU) * lanes_.size() >> 32);
  }

  /// Any core. False: there is no room.
  [[nodiscard]] bool give(std::size_t core, const ip::Arrived& fragment, const wire::MacAddress& from) noexcept {
    Lane& lane = lanes_[core];
    std::uint64_t at = lane.tail.load(std::memory_order_relaxed);
    for (int tries = 0; fragment.payload.size() <= mtu_ && tries < kTries; ++tries) {
      Place& place = lane.places[at % kPlaces];
      const std::uint64_t number = place.number.load(std::memory_order_acquire);
      if (number < at) {
        return false;
      }
      if (number > at) {
        at = lane.tail.load(std::memory_order_relaxed);
      } else if (lane.tail.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
        place.fragment = fragment;
        place.from = from;
        std::byte* bytes = lane.bytes.get() + at % kPlaces * mtu_;
        std::memcpy(bytes, fragment.payload.data(), fragment.payload.size());
        place.fragment.payload = {bytes, fragment.payload.size()};
        place.fragment.datagram = {};  // nobody quotes one that was put together
        // In one order with rest() and what is looked for behind it: either it is seen there, or the sleeper here.
        place.number.store(at + 1, std::memory_order_seq_cst);
        if (dataplane::Waker* sleeper = lane.sleeper.load(std::memory_order_seq_cst)) {
          sleeper->wake();
        }
        return true;
      }
    }
    return false;
  }

  /// The next that was given to `core`: calls `visit(const ip::Arrived&, const wire::MacAddress&)` and forgets it.
  /// False: there is none.
  template <typename Visit>
  bool take(std::size_t core, Visit&& visit) noexcept {
    Lane& lane = lanes_[core];
    Place& place = lane.places[lane.head % kPlaces];
    if (MR_LIKELY(place.number.load(std::memory_order_seq_cst) != lane.head + 1)) {
      return false;
    }
    visit(static_cast<const ip::Arrived&>(place.fragment), static_cast<const wire::MacAddress&>(place.from));
    place.number.store(lane.head + kPlaces, std::memory_order_release);
    ++lane.head;
    return true;
  }

  /// `core` is going to sleep, after one more look: until rise() whoever gives it something wakes it.
  void rest(std::size_t core, dataplane::Waker& waker) noexcept {
    lanes_[core].sleeper.store(&waker, std::memory_order_seq_cst);
  }
  void rise(std::size_t core) noexcept { lanes_[core].sleeper.store(nullptr, std::memory_order_relaxed); }

 private:
  static constexpr int kTries = 64;
  struct Place {
    std::atomic<std::uint64_t> number{0};
    ip::Arrived fragment{};
    wire::MacAddress from{};
  };
  struct Lane {
    alignas(kCacheLineBytes) std::atomic<std::uint64_t> tail{0};
    std::atomic<dataplane::Waker*> sleeper{nullptr};
    alignas(kCacheLineBytes) std::uint64_t head = 0;
    std::vector<Place> places = std::vector<Place>(kPlaces);
    std::unique_ptr<std::byte[]> bytes;
  };

  const std::uint64_t seed_;
  const std::uint16_t mtu_;
  std::vector<Lane> lanes_;
};

}  // namespace millrace::stack
