// What is asked next: an operation by its weight, a key by its order, a size by its key. Owned by one load thread.
// Knows nothing of time: when a request is due is the phase's business.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "bench/load/key_sequence.h"
#include "bench/load/operation.h"
#include "bench/load/prng.h"
#include "bench/load/request_writer.h"
#include "bench/load/workload.h"

namespace millrace::load {

/// How often each operation is asked, in proportion to the sum; all 0 but one: that one always.
using OperationWeights = std::array<double, kOperations>;

[[nodiscard]] constexpr OperationWeights only(Operation operation) noexcept {
  OperationWeights weights{};
  weights[static_cast<std::size_t>(operation)] = 1;
  return weights;
}

struct MixPlan {
  OperationWeights weights = only(Operation::Get);
  std::uint32_t keys_per_get = 1;  ///< MultiGet
  std::uint32_t ttl_s = 0;
  std::uint64_t seed = 1;
};

class OperationMix {
 public:
  /// `workload` outlives this; at least one weight is above 0.
  OperationMix(const Workload& workload, KeySequence keys, const MixPlan& plan)
      : workload_(&workload), keys_(keys), plan_(plan), prng_(mix64(plan.seed ^ 0x6d69'78)), asked_(plan.keys_per_get) {
    double total = 0;
    for (const double weight : plan.weights) {
      total += weight;
    }
    MR_ASSERT(total > 0);
    for (std::size_t i = 0; i < kOperations; ++i) {
      if (plan.weights[i] > 0) {
        choices_[choice_count_++] = {plan.weights[i] / total, static_cast<Operation>(i)};
      }
    }
    // The likeliest first, so that it is found at once.
    std::sort(choices_.begin(), choices_.begin() + choice_count_,
              [](const Choice& a, const Choice& b) { return a.upto > b.upto; });
    double sum = 0;
    for (std::size_t i = 0; i < choice_count_; ++i) {
      choices_[i].upto = sum += choices_[i].upto;
      bytes_max_ = std::max(bytes_max_, bytes_max_of(choices_[i].operation));
    }
  }

  /// No request of the mix is longer. Room for this has to be there before next() throws its dice: a buffer that is
  /// nearly full would otherwise favour the shorter ones.
  [[nodiscard]] std::size_t bytes_max() const noexcept { return bytes_max_; }

  /// Its keys are valid until the next call.
  Request next() noexcept {
    Request request{.operation = choose(), .ttl_s = plan_.ttl_s};
    if (request.operation == Operation::MultiGet) {
      for (std::uint64_t& key : asked_) {
        key = keys_.next();
      }
      request.key = asked_.front();
      request.keys = asked_;
      return request;
    }
    request.key = keys_.next();
    if (is_store(request.operation)) {
      request.value_bytes = workload_->value_text.bytes_of(request.key);
    }
    return request;
  }

 private:
  struct Choice {
    double upto = 0;  ///< the sum of the shares up to and with this one
    Operation operation = Operation::Get;
  };

  Operation choose() noexcept {
    std::size_t at = 0;
    if (choice_count_ > 1) {
      const double dice = prng_.unit();
      while (at + 1 < choice_count_ && dice >= choices_[at].upto) {
        ++at;
      }
    }
    return choices_[at].operation;
  }

  [[nodiscard]] std::size_t bytes_max_of(Operation operation) const noexcept {
    const Request largest{
        .operation = operation, .keys = asked_, .value_bytes = workload_->value_text.largest(), .ttl_s = UINT32_MAX};
    return RequestWriter(*workload_).bytes_max(largest);
  }

  const Workload* workload_;
  KeySequence keys_;
  MixPlan plan_;
  Prng prng_;
  std::vector<std::uint64_t> asked_;  ///< keys of a MultiGet
  std::array<Choice, kOperations> choices_{};
  std::size_t choice_count_ = 0;
  std::size_t bytes_max_ = 0;
};

}  // namespace millrace::load
