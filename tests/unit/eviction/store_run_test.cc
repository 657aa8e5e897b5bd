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

TEST(StoreRun, CountsObjectsAsTheModelDoes) {
  const auto shape = unsized_shape(1000);
  ASSERT_TRUE(shape);
  EXPECT_GE(shape->items, 1000U);
  EXPECT_LE(shape->items, 1100U);
  EXPECT_GE(shape->arena_pages, 60U) << "a page is to be a small part";
  auto run = StoreRun::create(shape->arena_pages, {});
  ASSERT_TRUE(run);
  const auto model = make_model("clock2", {shape->items, kKeys});
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
  EXPECT_NEAR(store_misses / model_misses, 1.0, 0.02);
  EXPECT_EQ(run->refused(), 0U);
  run->partition().check();
}

}  // namespace
}  // namespace millrace::eviction::tests
