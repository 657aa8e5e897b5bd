// What a phase of a run is asked for and what one load thread brings back from it. Plain values.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "bench/load/core_usage.h"
#include "bench/load/histogram.h"
#include "bench/load/tally.h"

namespace millrace::load {

enum class Mode : std::uint8_t {
  Fill,  ///< set every key once
  Get,
  Set,
  Mix,       ///< gets and sets
  MultiGet,  ///< gets of several keys
  Replay,    ///< a trace, read-through
};

[[nodiscard]] constexpr const char* mode_name(Mode mode) noexcept {
  switch (mode) {
    case Mode::Fill:
      return "fill";
    case Mode::Get:
      return "get";
    case Mode::Set:
      return "set";
    case Mode::Mix:
      return "mix";
    case Mode::MultiGet:
      return "multiget";
    case Mode::Replay:
      return "replay";
  }
  return "";
}

/// What a load thread does in an open loop until the next request is due.
enum class Idling : std::uint8_t {
  Near,   ///< sleeps, but not the last 100 us: a thread that sleeps wakes late
  Sleep,  ///< always sleeps: for a generator that shares its cores with the server
  Spin,   ///< never sleeps: replies are seen the moment they arrive, too
};

[[nodiscard]] constexpr const char* idling_name(Idling idling) noexcept {
  switch (idling) {
    case Idling::Near:
      return "near";
    case Idling::Sleep:
      return "sleep";
    case Idling::Spin:
      return "spin";
  }
  return "";
}

/// How an open loop kept to its schedule.
struct PacedCounts {
  std::uint64_t due = 0;         ///< requests that were to leave in the window
  std::uint64_t queued = 0;      ///< of them: found no connection with room, so they waited for the server
  std::uint64_t never_left = 0;  ///< of them: had not left when the time was up
  Histogram late_ns{};           ///< from when a request could have left until it did: the generator's own fault
  Duration spun{};               ///< time that a thread ran only to be awake

  void merge(const PacedCounts& other) noexcept {
    due += other.due;
    queued += other.queued;
    never_left += other.never_left;
    late_ns.merge(other.late_ns);
    spun = spun + other.spun;
  }
};

/// The measured window of one thread's phase.
struct PhaseResult {
  Duration window{};
  Tally tally{};
  OperationLatencies latency_ns{};
  CoreUsage usage{};
  PacedCounts paced{};  ///< empty in a closed loop
  std::uint64_t records_replayed = 0;
  std::uint64_t failures = 0;  ///< of the thread's whole run until the end of the phase
  bool is_complete = false;    ///< ran to its time or count; false: interrupted, or no connection was left
};

}  // namespace millrace::load
