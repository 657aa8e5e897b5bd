// lru, mru, lfu, random, ttl: each against a model written anew here, and all of them under random commands.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>
#include <string>

#include "support/seed.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

const std::string kValue(900, 'v');

std::string key(std::uint64_t n) { return "key" + std::to_string(1'000'000 + n); }

/// The order of use of keys, newest in front.
class Order {
 public:
  void use(const std::string& key) {
    keys_.remove(key);
    keys_.push_front(key);
  }
  void remove(const std::string& key) { keys_.remove(key); }
  [[nodiscard]] bool has(const std::string& key) const { return std::ranges::find(keys_, key) != keys_.end(); }
  [[nodiscard]] std::list<std::string>& keys() { return keys_; }

 private:
  std::list<std::string> keys_;
};

class ExactOrder : public testing::TestWithParam<EvictionPolicy> {};

TEST_P(ExactOrder, EvictsWhomTheModelSays) {
  std::mt19937_64 random(millrace::tests::test_seed());
  Store store(4, {.policy = GetParam()});
  Order order;
  std::uint64_t evictions = 0;
  for (int op = 0; op < 20'000; ++op) {
    const std::string k = key(random() % 400);
    const std::uint64_t dice = random() % 10;
    if (dice < 4) {
      ASSERT_EQ(store->get(make_key(k), 1) != nullptr, order.has(k)) << op;
      if (order.has(k)) {
        order.use(k);
      }
    } else if (dice < 9) {
      const std::uint64_t before = store->counters().evictions;
      ASSERT_EQ(store.set(k, kValue), Outcome::Stored);
      if (store->counters().evictions != before) {
        ++evictions;
        const bool takes_newest = GetParam() == EvictionPolicy::Mru;
        order.remove(takes_newest ? order.keys().front() : order.keys().back());
      }
      order.use(k);
    } else {
      ASSERT_EQ(store.remove(k) == Outcome::Deleted, order.has(k));
      order.remove(k);
    }
    ASSERT_EQ(store->counters().curr_items, order.keys().size());
  }
  EXPECT_GT(evictions, 1000U);
  for (const std::string& k : order.keys()) {
    EXPECT_TRUE(store.has(k));
  }
  store->check();
}

INSTANTIATE_TEST_SUITE_P(Policies, ExactOrder, testing::Values(EvictionPolicy::Lru, EvictionPolicy::Mru),
                         [](const auto& policy) { return std::string(name_of(policy.param)); });

TEST(Policies, LruPassesByWhatIsPinned) {
  Store store(4, {.policy = EvictionPolicy::Lru});
  std::uint64_t n = 0;
  for (; store->memory_stats().pages_free != 0 || store->counters().curr_items < 130; ++n) {
    store.set(key(n), kValue);
  }
  const ItemRef lent = store.pin(key(0));
  while (store->counters().evictions < 200) {
    store.set(key(n++), kValue);
  }
  EXPECT_TRUE(store.has(key(0)));
  store->unpin(lent);
  store->check();
}

TEST(Policies, LfuKeepsWhatIsAskedForOftenAndForgetsWhatWas) {
  Store store(6, {.policy = EvictionPolicy::Lfu});
  for (std::uint64_t n = 0; n < 50; ++n) {
    store.set(key(n), kValue);
    for (int hit = 0; hit < 200; ++hit) {
      store.get(key(n));
    }
  }
  const auto left = [&] {
    std::uint64_t count = 0;
    for (std::uint64_t n = 0; n < 50; ++n) {
      count += store.has(key(n)) ? 1 : 0;
    }
    return count;
  };
  std::uint64_t n = 100;
  while (store->counters().evictions < 500) {  // some turnovers
    store.set(key(n++), kValue);
    store.get(key(n - 1));
  }
  EXPECT_GE(left(), 45U) << "LRU would have dropped all of them";
  while (store->counters().evictions < 20'000) {
    store.set(key(n++), kValue);
    store.get(key(n - 1));
  }
  EXPECT_EQ(left(), 0U) << "nobody has asked for them for long";
  store->check();
}

TEST(Policies, FrequencyGrowsWithTheLogarithm) {
  FrequencyRecords records(kPageBytes, 48);
  const ItemRef ref{6};
  records.enter(ref, 100);
  std::mt19937_64 random(millrace::tests::test_seed() + 1);
  const auto use = [&](int times) {
    for (int n = 0; n < times; ++n) {
      records.use(ref, static_cast<std::uint32_t>(random()));
    }
    return records.count(ref) - FrequencyRecords::kFirstCount;
  };
  EXPECT_EQ(use(1), 1);
  const int after_hundred = use(99);
  EXPECT_GE(after_hundred, 2);
  EXPECT_LE(after_hundred, 9);
  const int after_ten_thousand = use(9900);
  EXPECT_GE(after_ten_thousand, 30);
  EXPECT_LE(after_ten_thousand, 65) << "a step n takes 10 n hits: some 45 for 10,000";
}

TEST(Policies, RandomTakesEachAsOftenAsAnother) {
  Store store(6, {.policy = EvictionPolicy::Random, .hash_seed = kSeed});
  std::mt19937_64 random(millrace::tests::test_seed() + 2);
  std::uint64_t n = 0;
  while (store->counters().evictions == 0) {
    store.set(key(n++), kValue);
  }
  // How long each lives, in evictions: with chances of 1 in `held`, half are gone after 0.69 turnovers, e^-2 after two.
  const std::uint64_t held = store->counters().curr_items;
  std::uint64_t alive_half = 0;
  std::uint64_t alive_two = 0;
  constexpr std::uint64_t kRounds = 20;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const std::uint64_t first = n;
    const std::uint64_t turn = held * 69 / 100;
    for (std::uint64_t stored = 0; stored < held; ++stored) {
      store.set(key(n++), kValue);
    }
    const auto alive = [&](std::uint64_t at) {
      std::uint64_t count = 0;
      for (std::uint64_t k = first; k < at; ++k) {
        count += store.has(key(k)) ? 1 : 0;
      }
      return count;
    };
    const std::uint64_t born = alive(first + held);
    for (std::uint64_t stored = 0; stored < turn; ++stored) {
      store.set(key(n++), kValue);
    }
    alive_half += alive(first + held) * 1000 / born;
    for (std::uint64_t stored = 0; stored < 2 * held - turn; ++stored) {
      store.set(key(n++), kValue);
    }
    alive_two += alive(first + held) * 1000 / born;
  }
  EXPECT_NEAR(static_cast<double>(alive_half) / kRounds, 500, 40);
  EXPECT_NEAR(static_cast<double>(alive_two) / kRounds, 135, 30);
  store->check();
}

TEST(Policies, TtlTakesTheSoonestOfThoseTheHandComesTo) {
  // Three a page, six pages: all fit the window, so that it is the soonest of all.
  std::mt19937_64 random(millrace::tests::test_seed() + 3);
  Store store(7, {.policy = EvictionPolicy::Ttl});
  const std::string third(21'000, 'v');
  std::map<std::string, Seconds> expiry;
  for (std::uint64_t n = 0; n < 2000; ++n) {
    const Seconds at = random() % 5 == 0 ? kNever : static_cast<Seconds>(1000 + random() % 100'000);
    const std::uint64_t before = store->counters().evictions;
    ASSERT_EQ(store.set(key(n), third, {.expires_at = at}), Outcome::Stored);
    if (store->counters().evictions != before) {
      const auto soonest = std::ranges::min_element(
          expiry, {}, [](const auto& entry) { return entry.second - 1; });  // never, 0, is the latest
      std::uint64_t gone = 0;
      Seconds gone_at = 0;
      for (const auto& [k, its] : expiry) {
        if (!store.has(k)) {
          ++gone;
          gone_at = its;
        }
      }
      ASSERT_EQ(gone, 1U);
      ASSERT_EQ(gone_at, soonest->second);
      std::erase_if(expiry, [&](const auto& entry) { return !store.has(entry.first); });
    }
    expiry[key(n)] = at;
  }
  EXPECT_GT(store->counters().evictions, 1900U);
}

class EveryPolicy : public testing::TestWithParam<PolicyName> {};

/// Sizes from nothing to several pages, pins, reservations, touches: whoever goes, nothing is lost or counted twice.
TEST_P(EveryPolicy, KeepsTheInvariantsUnderRandomCommands) {
  std::mt19937_64 random(millrace::tests::test_seed() + 4);
  for (const std::uint32_t pages : {12U, 48U}) {
    Store store(pages, {.policy = GetParam().policy});
    std::vector<ItemRef> lent;
    Seconds now = 1;
    for (int op = 0; op < 60'000; ++op) {
      now += random() % 500 == 0 ? 1 : 0;
      const std::string k = key(random() % 3000);
      const std::uint64_t dice = random() % 100;
      if (dice < 50) {
        store->get(make_key(k), now);
      } else if (dice < 90) {
        const std::size_t bytes = random() % 200 == 0 ? random() % 200'000 : random() % (dice < 80 ? 300 : 6000);
        store.set(k, std::string(bytes, 'v'),
                  {.expires_at = dice % 8 == 0 ? now + static_cast<Seconds>(random() % 40 + 1) : kNever}, now);
      } else if (dice < 93) {
        store.remove(k, now);
      } else if (dice < 95) {
        if (const Item* item = store.peek(k, now); item != nullptr && lent.size() < 10) {
          lent.push_back(store->pin(item));
        }
      } else if (dice < 97 && !lent.empty()) {
        store->unpin(lent.back());
        lent.pop_back();
      } else if (dice < 99) {
        Reservation reservation;
        if (store.reserve(k, std::string(random() % 3000, 'r'), reservation, now) == Outcome::Stored) {
          store.commit(k, reservation, {}, now);
        }
      } else {
        store->store(make_key(k), "more", {.mode = StoreMode::Append}, now);
      }
      if (op % 10'000 == 0) {
        store->check();
      }
    }
    while (!lent.empty()) {
      store->unpin(lent.back());
      lent.pop_back();
    }
    store->check();
    EXPECT_GT(store->counters().evictions, 1000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicy, testing::ValuesIn(kPolicyNames),
                         [](const auto& policy) { return std::string(policy.param.name); });

}  // namespace
}  // namespace millrace::store::tests
