// The lab's reference models: known sequences by hand, and laws over random requests.
#include "bench/eviction/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "bench/load/prng.h"
#include "bench/load/zipf.h"
#include "support/seed.h"

namespace millrace::eviction::tests {
namespace {

load::Trace zipf_trace(std::uint32_t keys, double exponent, std::size_t requests, std::uint64_t seed) {
  load::Trace trace;
  trace.keys = keys;
  load::Prng prng(seed);
  const load::Zipf zipf(keys, exponent);
  for (std::size_t n = 0; n < requests; ++n) {
    load::TraceRecord record;
    record.key = static_cast<std::uint32_t>(zipf.rank(prng) - 1);
    record.value_bytes = 100;
    trace.records.push_back(record);
  }
  return trace;
}

std::uint64_t misses(Model& model, const load::Trace& trace) {
  std::uint64_t count = 0;
  for (const load::TraceRecord& record : trace.records) {
    if (!model.get(record.key)) {
      ++count;
      model.set(record.key, 1);
    }
  }
  return count;
}

/// Which of the keys are there after reading through: looked at by asking for each of them last.
std::string held_after(std::string_view name, std::uint64_t capacity, const std::string& requests) {
  std::string held;
  for (char wanted = 'a'; wanted <= 'i'; ++wanted) {  // anew for each: a look is a hit
    const auto model = make_model(name, {capacity, 26});
    for (const char letter : requests) {
      const auto key = static_cast<std::uint32_t>(letter - 'a');
      if (!model->get(key)) {
        model->set(key, 1);
      }
    }
    if (model->get(static_cast<std::uint32_t>(wanted - 'a'))) {
      held += wanted;
    }
  }
  return held;
}

TEST(EvictionModel, KnownSequences) {
  EXPECT_EQ(held_after("lru", 3, "abcad"), "acd");
  EXPECT_EQ(held_after("mru", 3, "abcad"), "bcd");
  EXPECT_EQ(held_after("clock2", 3, "abcad"), "acd");
  EXPECT_EQ(held_after("clock2", 3, "abcaabbccd"), "bcd") << "all were hit twice: the oldest goes after two rounds";
  EXPECT_EQ(held_after("lfu", 3, "aabbcd"), "abd");
  EXPECT_EQ(held_after("s3fifo", 3, "abacd"), "acd") << "the re-hit is promoted, the others queue for their end";
}

TEST(EvictionModel, AGhostIsPromoted) {
  // Capacity 10, probation 1: a scan pushes `a` out; when it comes back it stays through the next scan.
  const auto model = make_model("s3fifo", {10, 100});
  const auto ask = [&](std::uint32_t key) {
    const bool is_hit = model->get(key);
    if (!is_hit) {
      model->set(key, 1);
    }
    return is_hit;
  };
  ask(0);
  for (std::uint32_t key = 1; key <= 10; ++key) {
    ask(key);
  }
  EXPECT_FALSE(ask(0));
  for (std::uint32_t key = 50; key < 80; ++key) {
    ask(key);
  }
  EXPECT_TRUE(ask(0));
}

TEST(EvictionModel, NoneHoldsMoreThanItsCapacityOrBeatsTheOptimum) {
  const std::uint64_t seed = millrace::tests::test_seed();
  const load::Trace trace = zipf_trace(2000, 0.9, 40'000, seed);
  for (const std::uint64_t capacity : {1, 7, 100, 700}) {
    const std::uint64_t least = optimal_misses(trace, capacity);
    for (const std::string_view name : model_names()) {
      const auto model = make_model(name, {capacity, trace.keys});
      EXPECT_GE(misses(*model, trace), least) << name << " of " << capacity;
      std::uint64_t held = 0;
      for (std::uint32_t key = 0; key < trace.keys; ++key) {
        held += model->get(key) ? 1 : 0;
      }
      EXPECT_LE(held, capacity) << name;
      EXPECT_GE(held, capacity - capacity / 10 - 1) << name;
    }
  }
}

TEST(EvictionModel, WithRoomForAllOnlyFirstRequestsMiss) {
  const load::Trace trace = zipf_trace(300, 0.9, 10'000, millrace::tests::test_seed() + 1);
  std::map<std::uint32_t, int> seen;
  for (const load::TraceRecord& record : trace.records) {
    ++seen[record.key];
  }
  EXPECT_EQ(optimal_misses(trace, 300), seen.size());
  for (const std::string_view name : model_names()) {
    EXPECT_EQ(misses(*make_model(name, {300, trace.keys}), trace), seen.size()) << name;
  }
}

}  // namespace
}  // namespace millrace::eviction::tests
