// The real store under a trace, beside the model of its policy in as many slots.
#include "bench/eviction/store_run.h"

#include <gtest/gtest.h>

#include "bench/eviction/model.h"
#include "bench/load/prng.h"
#include "bench/load/zipf.h"
#include "support/seed.h"

namespace millrace::eviction::tests {
namespace {

constexpr std::uint32_t kKeys = 20'000;
constexpr std::uint32_t kRequests = 200'000;

/// Misses of the store under `policy` to those of the model called `name`, in as many slots.
double misses_to_model(EvictionPolicy policy, std::string_view name) {
  const auto shape = unsized_shape(4000);
  EXPECT_TRUE(shape);
  EXPECT_GE(shape->items, 4000U);
  EXPECT_LE(shape->items, 4400U);
  EXPECT_GE(shape->arena_bytes, 60 * kArenaStepBytes) << "a step is to be a small part";
  store::PartitionOptions options;
  options.policy = policy;
  options.page_bytes = kArenaStepBytes;  // what the shape was chosen for
  auto run = StoreRun::create(shape->arena_bytes, options);
  EXPECT_TRUE(run);
  const auto model = make_model(name, {shape->items, kKeys});
  load::Prng prng(millrace::tests::test_seed());
  const load::Zipf zipf(kKeys, 0.9);
  double store_misses = 0;
  double model_misses = 0;
  for (std::uint32_t n = 0; n < kRequests; ++n) {
    const auto key = static_cast<std::uint32_t>(zipf.rank(prng) - 1);
    store_misses += run->replay(key, shape->value_bytes, 0, false) ? 0 : 1;
    if (!model->get(key)) {
      ++model_misses;
      model->set(key, 1);
    }
  }
  EXPECT_EQ(run->refused(), 0U);
  run->partition().check();
  return store_misses / model_misses;
}

TEST(StoreRun, MissesWhatTheModelOfItsPolicyMisses) {
  EXPECT_NEAR(misses_to_model(EvictionPolicy::Clock2, "clock2"), 1.0, 0.02);
  EXPECT_NEAR(misses_to_model(EvictionPolicy::Lru, "lru"), 1.0, 0.02);
  EXPECT_NEAR(misses_to_model(EvictionPolicy::Random, "random"), 1.0, 0.02);
  EXPECT_NEAR(misses_to_model(EvictionPolicy::Mru, "mru"), 1.0, 0.03);
  // It has its queue and its ghost in the same arena.
  EXPECT_NEAR(misses_to_model(EvictionPolicy::Clock, "s3fifo"), 1.0, 0.04);
}

}  // namespace
}  // namespace millrace::eviction::tests
