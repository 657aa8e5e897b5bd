// What a phase of a run is asked for and what one load thread brings back from it. Plain values.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "bench/load/core_usage.h"
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

/// The measured window of one thread's phase.
struct PhaseResult {
  Duration window{};
  Tally tally{};
  OperationLatencies latency_ns{};
  CoreUsage usage{};
  std::uint64_t records_replayed = 0;
  bool is_complete = false;  ///< ran to its time or count; false: interrupted, or no connection was left
};

}  // namespace millrace::load
