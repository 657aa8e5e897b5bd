// Who on the link has which MAC address: RFC 826 (ARP) and RFC 4861 7 (neighbour discovery) as one machine.
//
// One core. Ownership: owns the packets that wait for an answer, until take_ready() or until it gives them up.
// Bounded: kEntries neighbours, kAskingMax being asked at once, kPendingMax packets waiting, kPendingPerNeighborMax for
// one. Nothing allocates after the constructor. No frame is made here: next_due() says whom to ask.
//
//              resolve()              answer                     reachable time over, next packet
//   (none) ─────────────► Incomplete ────────► Reachable ◄──────────────────────┐ answer
//                             │ no answer          │ another MAC is claimed ──► Probing ──► Searching ──► (failed)
//                             ▼                    └───────────────────────────────┘ no answer: ask everybody
//                          Failed (for a while packets to it are dropped)
//
// Rules: 1. An answer nobody asked for makes no entry. 2. A claim that a known neighbour has another MAC is not
// believed but checked: its old MAC is asked first, then everybody, and only an answer to that question changes it. So
// a forged announcement changes nothing while the real neighbour lives, and a gateway that failed over is followed
// within kProbeInterval and a round trip. (RFC 826 and RFC 4861 7.2.5 would believe the claim.) 3. A request aimed at
// us makes an entry, unconfirmed (RFC 826; RFC 4861 7.2.3). 4. A known MAC is used while it is checked. Not done:
// DELAY, in which RFC 4861 waits 5 s for TCP to confirm the neighbour: it is asked at once.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "dataplane/buf/packet.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/drop.h"

namespace millrace::ip {

/// Ask for `target`: its own MAC is asked, or everybody (ARP broadcast, solicited-node group).
struct Solicitation {
  wire::IpAddress target{};
  bool asks_everybody = true;
  wire::MacAddress to{};  ///< unless everybody
};

/// What a message taught about a neighbour.
struct Heard {
  enum class Kind : std::uint8_t {
    Answer,
    Request,
    Claim,
  };
  Kind kind{};
  wire::IpAddress from{};
  wire::MacAddress mac{};
};

class NeighborCache {
 public:
  static constexpr std::size_t kEntries = 1024;
  static constexpr std::size_t kAskingMax = 64;
  static constexpr std::size_t kPendingMax = 128;
  static constexpr std::size_t kPendingPerNeighborMax = 16;      ///< a jumbo datagram in fragments, and then some
  static constexpr std::uint32_t kTriesMax = 3;                  ///< RFC 4861 10: MAX_MULTICAST_SOLICIT
  static constexpr Duration kRetransmitInterval = seconds(1);    ///< RETRANS_TIMER; RFC 1122 2.3.2.1: no faster
  static constexpr Duration kProbeInterval = milliseconds(250);  ///< of neighbours that are known
  static constexpr Duration kReachableTimeBase = seconds(30);    ///< REACHABLE_TIME; times 0.5 to 1.5 (RFC 4861 6.3.2)
  static constexpr Duration kHoldDown = seconds(1);              ///< how long Failed is remembered

  struct Resolution {
    bool is_known = false;
    wire::MacAddress mac{};
    wire::Drop drop = wire::Drop::None;  ///< a packet was dropped: this one, or (NeighborQueueFull) the oldest waiting
    Instant until{};                     ///< known: this long, if epoch() stays; then ask again
  };
  struct Counters {
    std::uint64_t asked = 0;    ///< solicitations
    std::uint64_t changes = 0;  ///< neighbours that were found under another MAC
    std::uint64_t claims = 0;   ///< of another MAC for a known neighbour: checked, not believed
    std::uint64_t evicted = 0;
  };

  explicit NeighborCache(std::uint64_t seed);

  /// The MAC of `target` (an address on the link). Not known: `packet` is taken to wait, or dropped.
  [[nodiscard]] Resolution resolve(Instant now, const wire::IpAddress& target, bool is_router,
                                   buf::Packet& packet) noexcept;
  enum class Reach : std::uint8_t {
    Known,
    Asking,
    Nobody,  ///< asked, and nobody answered; or there is no room to ask
  };
  /// The same without a packet: whether resolve() would know, and if not, it is asked for from here on.
  [[nodiscard]] Reach reach(Instant now, const wire::IpAddress& target, bool is_router) noexcept;
  /// An answer (ARP reply, neighbour advertisement), asked for or not. False: it was about nobody we know.
  bool on_answer(Instant now, const wire::IpAddress& from, const wire::MacAddress& mac) noexcept;
  /// A request aimed at us names its sender.
  void on_request(Instant now, const wire::IpAddress& from, const wire::MacAddress& mac) noexcept;
  /// An announcement to everybody, or a frame on `from`'s behalf that came from `mac`: a hint, nothing more.
  void on_claim(Instant now, const wire::IpAddress& from, const wire::MacAddress& mac) noexcept;

  /// Whichever of these it is. False: an answer about nobody we know.
  bool hear(Instant now, const Heard& heard) noexcept {
    switch (heard.kind) {
      case Heard::Kind::Answer:
        return on_answer(now, heard.from, heard.mac);
      case Heard::Kind::Request:
        on_request(now, heard.from, heard.mac);
        return true;
      case Heard::Kind::Claim:
        on_claim(now, heard.from, heard.mac);
        return true;
    }
    return false;
  }

  /// Runs timers; fills `out` when somebody is to be asked now. Call until false.
  [[nodiscard]] bool next_due(Instant now, Solicitation& out) noexcept;
  /// A packet that has waited and may go to `mac` now. Call until false.
  [[nodiscard]] bool take_ready(buf::Packet& packet, wire::MacAddress& mac) noexcept;
  /// How many waiting packets were given up since the last call.
  [[nodiscard]] std::uint64_t take_unreachable() noexcept { return std::exchange(unreachable_, 0); }

  /// Moves on whenever a MAC that resolve() gave may be another now.
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }

  /// For tests and statistics.
  [[nodiscard]] bool is_known(const wire::IpAddress& target) const noexcept;
  [[nodiscard]] std::size_t pending() const noexcept { return pending_used_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::uint16_t kNone = 0xffff;

  enum class State : std::uint8_t {
    Free,
    Incomplete,  ///< everybody is being asked; no MAC
    Reachable,   ///< until reachable_until; later it is asked again when used (RFC 4861's STALE)
    Probing,     ///< its MAC is being asked
    Searching,   ///< its MAC did not answer: everybody is being asked
    Failed,
  };
  struct Entry {
    State state = State::Free;
    bool is_router = false;
    std::uint8_t tries = 0;
    std::uint8_t pending_count = 0;
    std::uint16_t pending_first = kNone;
    std::uint16_t pending_last = kNone;
    wire::MacAddress mac{};
    wire::IpAddress address{};
    Instant used_at{};
    Instant checked_at{};
    Instant reachable_until{};  ///< Failed: until it may be asked again
    Instant due{};              ///< of the next solicitation while asking
  };
  struct Pending {
    buf::Packet packet{};
    wire::MacAddress mac{};
    std::uint16_t next = kNone;
  };

  [[nodiscard]] std::size_t set_of(const wire::IpAddress& address) const noexcept;
  [[nodiscard]] Entry* find(const wire::IpAddress& address) noexcept;
  /// The entry, made and being asked for if there was none; null: `drop` says why.
  [[nodiscard]] Entry* find_or_ask(Instant now, const wire::IpAddress& target, bool is_router,
                                   wire::Drop& drop) noexcept;
  [[nodiscard]] Entry* make(Instant now, const wire::IpAddress& address) noexcept;
  [[nodiscard]] static bool is_asking(State state) noexcept {
    return state == State::Incomplete || state == State::Probing || state == State::Searching;
  }
  [[nodiscard]] bool start_asking(Instant now, Entry& entry, State state) noexcept;
  void stop_asking(Entry& entry) noexcept;
  void confirm(Instant now, Entry& entry, const wire::MacAddress& mac) noexcept;
  void give_up(Instant now, Entry& entry) noexcept;
  void enqueue(Entry& entry, buf::Packet& packet, Resolution& resolution) noexcept;
  void drop_pending(Entry& entry) noexcept;
  std::uint16_t pop_pending(Entry& entry) noexcept;
  [[nodiscard]] std::uint64_t draw() noexcept;

  std::uint64_t seed_;
  std::uint64_t random_;
  std::vector<Entry> entries_;
  std::array<std::uint16_t, kAskingMax> asking_{};
  std::size_t asking_count_ = 0;
  Instant next_due_at_{};
  std::vector<Pending> pending_;
  std::uint16_t pending_free_ = 0;
  std::size_t pending_used_ = 0;
  std::uint16_t ready_first_ = kNone;
  std::uint16_t ready_last_ = kNone;
  std::uint64_t unreachable_ = 0;
  std::uint32_t epoch_ = 1;
  Counters counters_;
};

}  // namespace millrace::ip
