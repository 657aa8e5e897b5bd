// Fragments put together: RFC 791 3.2, RFC 815, RFC 8200 4.5, RFC 5722 (overlaps), RFC 6946 (a fragment that is all).
//
// One core. Ownership: copies; whole datagrams lie in its memory until release_whole(). Nothing is allocated after the
// constructor; memory is touched only as datagrams need it.
// Bounded, because anybody can send the first fragment of nothing: datagrams_max at once (the oldest makes room),
// kFragmentsMax a datagram, `lifetime` from the first fragment on.
// Invariants: 1. A byte is written once: what overlaps ends its datagram, and the fragments that still come with it.
// 2. A datagram is whole when every 8 bytes before its end have come; there is then no gap.
// Why not DPDK's rte_ip_frag: docs/decisions/0008. Instead of RFC 815's list of holes: one bit for each 8 bytes.
// Not done: Time Exceeded for what did not become whole.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"
#include "dataplane/ip/input.h"

namespace millrace::ip {

inline constexpr std::size_t kFragmentsMax = 64;  ///< 65,535 bytes through an MTU of 1,500 are 45
inline constexpr std::size_t kDatagramBytesMax = 65'536;

struct ReassemblyOptions {
  std::uint32_t datagrams_max = 16;  ///< 64 KiB each, once used
  /// RFC 791 proposes 15 s, RFC 8200 60 s. On a network of today fragments come together or not at all, and an IPv4
  /// identification comes round within seconds (RFC 4963).
  Duration lifetime = seconds(5);
};

struct ReassemblyOutcome {
  wire::Drop drop = wire::Drop::None;
  bool is_whole = false;
  std::uint8_t protocol = 0;
  wire::Bytes payload{};  ///< until release_whole()
};

class Reassembler {
 public:
  explicit Reassembler(const ReassemblyOptions& options);

  /// Takes one fragment (its checks are input_v4's and input_v6's). Neither dropped nor whole: it waits for others.
  ReassemblyOutcome add(Instant now, const Arrived& fragment, wire::DropCounters& counters) noexcept;
  /// The payloads given since are no longer read.
  void release_whole() noexcept;
  /// Gives up what is too old. Cheap when nothing waits.
  void expire(Instant now, wire::DropCounters& counters) noexcept;
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }

 private:
  enum class State : std::uint8_t {
    Free,
    Waiting,
    Poisoned,  ///< overlapped: swallows what still comes, until it is too old
    Whole,     ///< lent to the caller
  };
  struct Datagram {
    State state = State::Free;
    std::uint8_t protocol = 0;
    std::uint8_t fragments = 0;
    std::uint32_t id = 0;
    std::uint32_t bytes = 0;      ///< known when the last fragment has come, else 0
    std::uint32_t bytes_end = 0;  ///< the furthest byte seen
    std::uint32_t units = 0;      ///< of 8 bytes, that have come
    Instant first_at{};
    wire::IpAddress source{};
    wire::IpAddress destination{};
    std::array<std::uint64_t, kDatagramBytesMax / 8 / 64> has_unit{};
  };

  [[nodiscard]] Datagram* find(const Arrived& fragment) noexcept;
  [[nodiscard]] Datagram& make_room(wire::DropCounters& counters) noexcept;
  void free(Datagram& datagram) noexcept;
  wire::Drop place(Datagram& datagram, const Arrived& fragment) noexcept;
  [[nodiscard]] std::byte* memory_of(const Datagram& datagram) noexcept {
    return memory_.get() + static_cast<std::size_t>(&datagram - datagrams_.data()) * kDatagramBytesMax;
  }

  ReassemblyOptions options_;
  std::vector<Datagram> datagrams_;
  std::unique_ptr<std::byte[]> memory_;
  std::uint32_t waiting_ = 0;  ///< Waiting or Poisoned
  std::uint32_t whole_ = 0;
};

}  // namespace millrace::ip
