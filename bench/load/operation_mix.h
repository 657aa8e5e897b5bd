// What is asked next: an operation by its weight, a key by its order, a size by its key. Owned by one load thread.
// Knows nothing of time: when a request is due is the phase's business.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/assert.h"
#include "bench/load/aim_map.h"
#include "bench/load/key_sequence.h"
#include "bench/load/operation.h"
#include "bench/load/prng.h"
#include "bench/load/protocol/request_writer.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct MixPlan {
  OperationWeights weights = only(Operation::Get);
  std::uint32_t keys_per_get = 1;  ///< MultiGet
  std::uint32_t ttl_s_min = 0;     ///< evenly drawn for each request that takes one
  std::uint32_t ttl_s_max = 0;
  std::uint64_t seed = 1;
  const AimMap* aim = nullptr;  ///< of the keys drawn only those that `worker` owns are asked for
  std::uint32_t worker = 0;
  std::uint64_t draws_max = UINT64_MAX;  ///< keys drawn in all, whoever owns them: a fill asks for each once
};

class OperationMix {
 public:
  /// `workload` outlives this; at least one weight is above 0.
  OperationMix(const Workload& workload, KeySequence keys, const MixPlan& plan)
      : workload_(&workload),
        writer_(workload),
        keys_(keys),
        plan_(plan),
        draws_left_(plan.draws_max),
        prng_(mix64(plan.seed ^ 0x6d69'78)),
        asked_(plan.keys_per_get) {
    double total = 0;
    for (const double weight : plan.weights) {
      total += weight;
    }
    MR_ASSERT(total > 0);
    for (std::size_t i = 0; i < kOperations; ++i) {
      choices_[i] = {plan.weights[i] / total, static_cast<Operation>(i)};
      choice_count_ += plan.weights[i] > 0 ? 1 : 0;
    }
    // The likeliest first, so that it is found at once, and those without weight last.
    std::ranges::sort(choices_, std::greater{}, &Choice::upto);
    double sum = 0;
    for (std::size_t i = 0; i < choice_count_; ++i) {
      choices_[i].upto = sum += choices_[i].upto;
    }
  }

  /// Is there anything more to ask? Always, but where draws_max says how much.
  [[nodiscard]] bool has_next() noexcept {
    is_drawn_ = is_drawn_ || draw();
    return is_drawn_;
  }

  /// No shorter than what next() will return. That is drawn now, so what does not fit yet is asked later, and the mix
  /// stays what it is.
  [[nodiscard]] std::size_t bytes_max() noexcept {
    [[maybe_unused]] const bool has_one = has_next();
    MR_DCHECK(has_one);
    return writer_.bytes_max(drawn_);
  }

  /// Valid until the next call of either.
  const Request& next() noexcept {
    [[maybe_unused]] const bool has_one = has_next();
    MR_DCHECK(has_one);
    is_drawn_ = false;
    return drawn_;
  }

 private:
  struct Choice {
    double upto = 0;  ///< the sum of the shares up to and with this one
    Operation operation = Operation::Get;
  };

  /// False: every key that there was to draw has been drawn.
  bool draw() noexcept {
    drawn_.operation = choose();
    drawn_.ttl_s = ttl_s();
    drawn_.key = 0;
    drawn_.value_bytes = 0;
    switch (drawn_.operation) {
      case Operation::MultiGet:
        MR_DCHECK(plan_.aim == nullptr);  // they would have several owners
        for (std::uint64_t& key : asked_) {
          key = keys_.next();
        }
        drawn_.key = asked_.front();
        drawn_.keys = asked_;
        return true;
      case Operation::Cas:
        drawn_.operation = Operation::Gets;  // whose reply calls for the Cas
        break;
      case Operation::Append:
        drawn_.value_bytes = ValueText::kPieceBytes;
        break;
      case Operation::Incr:
        drawn_.key = kCounter;
        break;
      default:
        break;
    }
    if (plan_.aim == nullptr) {
      drawn_.key += keys_.next();
    } else if (!draw_owned()) {
      return false;
    }
    if (drawn_.operation == Operation::Set || drawn_.operation == Operation::Add) {
      drawn_.value_bytes = workload_->value_text.bytes_of(drawn_.key);
    }
    return true;
  }

  /// Draws until the key is the worker's: so those it owns keep their order and their popularity among each other. When
  /// others' keys are all but certain to be drawn, the next one of ours behind the one drawn last.
  bool draw_owned() noexcept {
    const std::uint64_t kind = drawn_.key;
    std::uint64_t key = 0;
    const auto is_ours = [&] { return plan_.aim->owner(workload_->key_text, kind + key) == plan_.worker; };
    for (std::uint64_t tries = 0; draws_left_ > 0; ++tries) {
      --draws_left_;
      key =
          tries < kTriesAWorker * plan_.aim->workers || plan_.draws_max != UINT64_MAX ? keys_.next() : keys_.after(key);
      if (is_ours()) {
        drawn_.key = kind + key;
        return true;
      }
    }
    return false;
  }

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

  std::uint32_t ttl_s() noexcept {
    const std::uint32_t spread = plan_.ttl_s_max - plan_.ttl_s_min;
    return plan_.ttl_s_min + (spread == 0 ? 0 : static_cast<std::uint32_t>(prng_.below(std::uint64_t{spread} + 1)));
  }

  static constexpr std::uint64_t kTriesAWorker = 64;

  const Workload* workload_;
  RequestWriter writer_;
  KeySequence keys_;
  MixPlan plan_;
  std::uint64_t draws_left_;
  Prng prng_;
  std::vector<std::uint64_t> asked_;  ///< keys of a MultiGet
  std::array<Choice, kOperations> choices_{};
  std::size_t choice_count_ = 0;
  Request drawn_;
  bool is_drawn_ = false;
};

}  // namespace millrace::load
