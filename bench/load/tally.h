// What a load thread counts. Plain integers owned by one thread, merged after the run.
// Two lives: a Tally covers the measured window of a phase and is cleared when the window opens; Failures cover all of
// the run, since an error during warm-up or while draining is an error all the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/load/histogram.h"

namespace millrace::load {

struct Tally {
  std::uint64_t requests = 0;  ///< answered, of any kind
  std::uint64_t sets = 0;
  std::uint64_t stored = 0;
  std::uint64_t not_stored = 0;
  std::uint64_t keys_asked = 0;
  std::uint64_t hits = 0;
  std::uint64_t value_bytes = 0;  ///< of hits

  [[nodiscard]] std::uint64_t misses() const noexcept { return keys_asked - hits; }
  [[nodiscard]] double hit_ratio() const noexcept {
    return keys_asked == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(keys_asked);
  }

  void merge(const Tally& other) noexcept {
    requests += other.requests;
    sets += other.sets;
    stored += other.stored;
    not_stored += other.not_stored;
    keys_asked += other.keys_asked;
    hits += other.hits;
    value_bytes += other.value_bytes;
  }
};

struct Failures {
  std::uint64_t connect = 0;  ///< refused, unreachable or too slow
  std::uint64_t closed = 0;   ///< ended by the server
  std::uint64_t reset = 0;
  std::uint64_t timeouts = 0;       ///< no reply for too long while some were owed
  std::uint64_t protocol = 0;       ///< bytes that are no reply, or no reply to what was asked
  std::uint64_t verification = 0;   ///< right form, wrong key, flags, size or bytes
  std::uint64_t error_replies = 0;  ///< ERROR, CLIENT_ERROR, SERVER_ERROR
  std::uint64_t lost_requests = 0;  ///< sent, and never answered because of any of the above
  std::string first;                ///< a sentence about the first of them

  [[nodiscard]] std::uint64_t total() const noexcept {
    return connect + closed + reset + timeouts + protocol + verification + error_replies + lost_requests;
  }
  void note(std::string_view sentence) {
    if (first.empty()) {
      first = sentence;
    }
  }
  void merge(const Failures& other) {
    connect += other.connect;
    closed += other.closed;
    reset += other.reset;
    timeouts += other.timeouts;
    protocol += other.protocol;
    verification += other.verification;
    error_replies += other.error_replies;
    lost_requests += other.lost_requests;
    note(other.first);
  }
};

struct Stats {
  Tally tally;
  Histogram latency_ns;
  Failures failures;

  void open_window() noexcept {
    tally = {};
    latency_ns = {};
  }
};

}  // namespace millrace::load
