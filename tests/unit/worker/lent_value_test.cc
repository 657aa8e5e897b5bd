// Large values are lent to replies. When as many are lent as can be, a get is refused and nothing is copied instead.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/sim_world.h"

namespace millrace::tests {
namespace {

/// A key that `owner` of two owns.
std::string key_of(const SimOptions& options, WorkerId owner) {
  for (int n = 0;; ++n) {
    std::string key = "large" + std::to_string(n);
    if (hash_key(key, options.seed | 1).partition(options.workers) == owner) {
      return key;
    }
  }
}

class LentValue : public testing::TestWithParam<WorkerId> {};

TEST_P(LentValue, IsRefusedWhenNoMoreCanBeLent) {
  const SimOptions options{.seed = 7, .workers = 2};
  SimWorld world(options);
  SimClient& client = world.open(0);
  const std::string key = key_of(options, GetParam());
  const std::string value(5000, 'v');
  const auto ask = [&](const std::string& request) {
    client.received.clear();
    client.to_server += request;
    world.run(2000);
    return client.received;
  };
  ASSERT_EQ(ask("set " + key + " 0 0 5000\r\n" + value + "\r\n"), "STORED\r\n");

  store::Partition& owner = world.worker(GetParam()).partition();
  std::vector<store::ItemRef> lent;
  for (std::uint32_t n = 0; n < store::kPinsMax; ++n) {
    const std::string name = "lent" + std::to_string(n);
    const store::Key small{name, hash_key(name, options.seed | 1)};
    ASSERT_EQ(owner.store(small, "v", {}, 1).outcome, store::Outcome::Stored);
    lent.push_back(owner.pin(owner.peek(small, 1)));
  }
  const std::string get = "get " + key + "\r\n";
  EXPECT_EQ(ask(get), "SERVER_ERROR out of memory writing get response\r\nEND\r\n");
  EXPECT_EQ(world.worker(0).reply_memory().buffers_in_use(), 0U);

  owner.unpin(lent.back());
  EXPECT_EQ(ask(get), "VALUE " + key + " 0 5000\r\n" + value + "\r\nEND\r\n");
  lent.pop_back();
  for (const store::ItemRef ref : lent) {
    owner.unpin(ref);
  }
  EXPECT_EQ(owner.counters().pins, 0U);
}

INSTANTIATE_TEST_SUITE_P(OwnAndNeighbours, LentValue, testing::Values(0U, 1U));

}  // namespace
}  // namespace millrace::tests
