// What a load thread counts. Plain integers owned by one thread, merged after the run.
// Two lives: a Tally covers the measured window of a phase and is cleared when the window opens; Failures cover all of
// the run, since an error during warm-up or while draining is an error all the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/operation.h"

namespace millrace::load {

/// The replies to one kind of request.
struct OperationTally {
  std::uint64_t requests = 0;  ///< answered, in any way
  std::uint64_t done = 0;      ///< as asked; a read: at least one hit
  std::uint64_t refused = 0;   ///< NOT_STORED, EXISTS
  std::uint64_t missed = 0;    ///< the key is not there; a read: none of its keys

  void merge(const OperationTally& other) noexcept {
    requests += other.requests;
    done += other.done;
    refused += other.refused;
    missed += other.missed;
  }
};

struct Tally {
  std::uint64_t requests = 0;  ///< answered, of any kind
  std::array<OperationTally, kOperations> operations{};
  std::uint64_t keys_asked = 0;
  std::uint64_t hits = 0;
  std::uint64_t value_bytes = 0;  ///< of hits
  std::uint64_t aimed = 0;        ///< requests that went to the worker that owns their key, with --aim

  [[nodiscard]] OperationTally& of(Operation operation) noexcept {
    return operations[static_cast<std::size_t>(operation)];
  }
  [[nodiscard]] const OperationTally& of(Operation operation) const noexcept {
    return operations[static_cast<std::size_t>(operation)];
  }
  /// All that store a value: set, add, append and cas together.
  [[nodiscard]] OperationTally stores() const noexcept {
    OperationTally sum;
    for (std::size_t i = 0; i < kOperations; ++i) {
      if (is_store(static_cast<Operation>(i))) {
        sum.merge(operations[i]);
      }
    }
    return sum;
  }
  [[nodiscard]] std::uint64_t misses() const noexcept { return keys_asked - hits; }
  [[nodiscard]] double hit_ratio() const noexcept {
    return keys_asked == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(keys_asked);
  }

  void merge(const Tally& other) noexcept {
    requests += other.requests;
    for (std::size_t i = 0; i < kOperations; ++i) {
      operations[i].merge(other.operations[i]);
    }
    keys_asked += other.keys_asked;
    hits += other.hits;
    value_bytes += other.value_bytes;
    aimed += other.aimed;
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

  [[nodiscard]] std::uint64_t total() const noexcept;
  void note(std::string_view sentence) {
    if (first.empty()) {
      first = sentence;
    }
  }
  void merge(const Failures& other);
};

/// Every counter with its name in the reports.
inline constexpr std::array<std::pair<const char*, std::uint64_t Failures::*>, 8> kFailureKinds{
    {{"connect", &Failures::connect},
     {"closed", &Failures::closed},
     {"reset", &Failures::reset},
     {"timeouts", &Failures::timeouts},
     {"protocol", &Failures::protocol},
     {"verification", &Failures::verification},
     {"error_replies", &Failures::error_replies},
     {"lost_requests", &Failures::lost_requests}}};

inline std::uint64_t Failures::total() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : kFailureKinds) {
    sum += this->*count;
  }
  return sum;
}

inline void Failures::merge(const Failures& other) {
  for (const auto& [name, count] : kFailureKinds) {
    this->*count += other.*count;
  }
  note(other.first);
}

/// A histogram for each operation. Together about 340 KiB, so on the heap; a request touches one line of them.
class OperationLatencies {
 public:
  void record(Operation operation, std::int64_t value) noexcept {
    histograms_[static_cast<std::size_t>(operation)].record(value);
  }
  [[nodiscard]] const Histogram& of(Operation operation) const noexcept {
    return histograms_[static_cast<std::size_t>(operation)];
  }
  [[nodiscard]] Histogram& of(Operation operation) noexcept { return histograms_[static_cast<std::size_t>(operation)]; }
  /// As if all had been recorded in one.
  [[nodiscard]] Histogram all() const noexcept {
    Histogram sum;
    for (const Histogram& histogram : histograms_) {
      if (histogram.count() > 0) {
        sum.merge(histogram);
      }
    }
    return sum;
  }
  void merge(const OperationLatencies& other) noexcept {
    for (std::size_t i = 0; i < kOperations; ++i) {
      if (other.histograms_[i].count() > 0) {
        histograms_[i].merge(other.histograms_[i]);
      }
    }
  }
  void clear() noexcept {
    for (Histogram& histogram : histograms_) {
      histogram = {};
    }
  }

 private:
  std::vector<Histogram> histograms_ = std::vector<Histogram>(kOperations);
};

struct Stats {
  Tally tally;
  OperationLatencies latency_ns;
  Failures failures;

  void open_window() noexcept {
    tally = {};
    latency_ns.clear();
  }
};

}  // namespace millrace::load
