// What large values may hold, under random commands: after each, no more than their share, or than what they had and
// nobody used. MILLRACE_TEST_OPS sets how many commands all together (default 200,000).
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/seed.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

class Driver {
 public:
  Driver(EvictionPolicy policy, std::uint32_t share, std::uint64_t seed)
      : share_(share), random_(seed), store_(pages(), {.policy = policy, .large_value_share = share}) {}

  void run(std::uint64_t ops) {
    for (std::uint64_t op = 0; op < ops && !testing::Test::HasFailure(); ++op) {
      const std::uint64_t reachable = std::max(bound(), store_->counters().large_bytes + unused());
      step();
      ASSERT_LE(store_->counters().large_bytes, reachable);
      if (op % (ops / 16 + 1) == 0) {
        store_->check();
      }
    }
    for (const Open& open : open_) {
      store_->abort(open.reservation);
    }
    for (const ItemRef pin : pins_) {
      store_->unpin(pin);
    }
    store_->check();
    EXPECT_GT(store_->counters().large_evictions, 0U);
  }

 private:
  struct Open {
    std::string key;
    Reservation reservation;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::uint32_t pages() { return static_cast<std::uint32_t>(48 + below(200)); }
  [[nodiscard]] std::uint64_t bound() const { return limit() / 100 * share_; }
  [[nodiscard]] std::uint64_t limit() const { return store_->limit_bytes(); }
  /// Free pages, and free chunks of others' pages.
  [[nodiscard]] std::uint64_t unused() const {
    std::uint64_t bytes = store_->memory_stats().pages_free * kPageBytes;
    for (std::uint32_t id = 1; id <= store_->classes(); ++id) {
      const ClassStats stats = store_->class_stats(id, 1);
      bytes += stats.free_chunks * stats.chunk_size;
    }
    return bytes;
  }
  std::string small_key() { return "s" + std::to_string(below(20'000)); }
  std::string large_key() { return "l" + std::to_string(below(200)); }
  std::size_t large_bytes() { return below(4) == 0 ? 66'000 + below(900'000) : 24'000 + below(6'000); }

  void step() {
    const std::uint64_t what = below(100);
    if (what < 55) {
      store_.set(small_key(), std::string(below(3'000), 's'));
    } else if (what < 75) {
      store_.get(below(2) == 0 ? small_key() : large_key());
    } else if (what < 90) {
      store_.set(large_key(), std::string(large_bytes(), 'l'));
    } else if (what < 93) {
      open();
    } else if (what < 96) {
      close();
    } else if (what < 98) {
      store_.remove(below(2) == 0 ? small_key() : large_key());
    } else {
      lend();
    }
  }
  void open() {
    Open made{.key = large_key(), .reservation = {}};
    if (open_.size() < 8 &&
        store_.reserve(made.key, std::string(large_bytes(), 'r'), made.reservation) == Outcome::Stored) {
      open_.push_back(made);
    }
  }
  void close() {
    if (open_.empty()) {
      return;
    }
    if (below(3) == 0) {
      store_->abort(open_.back().reservation);
    } else {
      store_.commit(open_.back().key, open_.back().reservation);
    }
    open_.pop_back();
  }
  void lend() {
    if (pins_.size() == 8) {
      store_->unpin(pins_.front());
      pins_.erase(pins_.begin());
    }
    const std::string key = large_key();
    if (const Item* item = store_.peek(key); item != nullptr) {
      pins_.push_back(store_->pin(item));
    }
  }

  std::uint32_t share_;
  std::mt19937_64 random_;
  mutable Store store_;
  std::vector<Open> open_;
  std::vector<ItemRef> pins_;
};

TEST(LargeShareProperty, HoldsAfterEveryCommand) {
  const std::uint64_t ops = millrace::tests::number_from_environment("MILLRACE_TEST_OPS", 200'000);
  std::mt19937_64 random(millrace::tests::test_seed());
  for (const EvictionPolicy policy : {EvictionPolicy::Clock, EvictionPolicy::Clock2, EvictionPolicy::Lru}) {
    for (const std::uint32_t share : {20U, 50U}) {
      Driver(policy, share, random()).run(ops / 6);
    }
  }
}

}  // namespace
}  // namespace millrace::store::tests
