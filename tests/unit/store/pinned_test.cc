// A lent item: its bytes stay until the last unpin, whatever happens to its key; then everything is back.
#include <gtest/gtest.h>

#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

const std::string kValue(5000, 'p');

/// Stores other items until the arena has been turned over several times.
void churn(Store& store, Seconds now = 1) {
  for (int n = 0; n < 400; ++n) {
    store.set("churn" + std::to_string(n), std::string(5000, 'c'), {}, now);
  }
}

struct Lent {
  explicit Lent(Store& s, const std::string& value = kValue) : store(s) {
    EXPECT_EQ(store.set("lent", value), Outcome::Stored);
    item = store.peek("lent");
    ref = store->pin(item);
    EXPECT_NE(ref, ItemRef{});
  }
  Store& store;
  const Item* item;
  ItemRef ref;
};

TEST(Pin, KeepsAnItemFromEviction) {
  Store store(8, {.policy = EvictionPolicy::Clock2});
  const Lent lent(store);
  churn(store);
  EXPECT_GT(store->counters().evictions, 0U);
  EXPECT_EQ(store.look("lent"), kValue) << "still found, and never evicted";
  store->check();
  store->unpin(lent.ref);
  churn(store);
  EXPECT_EQ(store.look("lent"), "(miss)") << "and evictable again";
}

TEST(Pin, OutlivesDelete) {
  Store store(8);
  const Lent lent(store);
  EXPECT_EQ(store.remove("lent"), Outcome::Deleted);
  EXPECT_EQ(store.look("lent"), "(miss)");
  EXPECT_EQ(store->counters().curr_items, 0U);
  churn(store);
  EXPECT_EQ(store.value_of(lent.item), kValue);
  EXPECT_EQ(lent.item->key(), "lent");
  store->check();
  store->unpin(lent.ref);
  store->check();
}

TEST(Pin, OutlivesEveryWayOfReplacingTheValue) {
  for (int way = 0; way < 6; ++way) {
    SCOPED_TRACE(way);
    Store store(16);
    const std::string before = way == 4 ? "7" + std::string(10, ' ') : kValue;
    const Lent lent(store, before);
    std::string after;
    Reservation reservation;
    switch (way) {
      case 0:  // same size: without the pin it would be overwritten in place
        store.set("lent", after = std::string(5000, 'q'));
        break;
      case 1:  // shorter, in place without the pin
        store.set("lent", after = std::string(4990, 'q'));
        break;
      case 2:
        ASSERT_EQ(store.set("lent", "!", {.mode = StoreMode::Append}), Outcome::Stored);
        after = kValue + "!";
        break;
      case 3:
        ASSERT_EQ(store.set("lent", "!", {.mode = StoreMode::Prepend}), Outcome::Stored);
        after = "!" + kValue;
        break;
      case 4:
        ASSERT_EQ(store.incr("lent", 1).number, 8U);
        after = "8" + std::string(10, ' ');
        break;
      default:
        ASSERT_EQ(store.reserve("lent", after = std::string(9000, 'r'), reservation), Outcome::Stored);
        ASSERT_EQ(store.commit("lent", reservation), Outcome::Stored);
    }
    EXPECT_EQ(store.look("lent"), after);
    EXPECT_EQ(store.value_of(lent.item), before);
    churn(store);
    EXPECT_EQ(store.value_of(lent.item), before);
    store->unpin(lent.ref);
    store->check();
    EXPECT_EQ(store->counters().pins, 0U);
  }
}

TEST(Pin, OutlivesFlushAndExpiry) {
  Store store(8);
  const Lent lent(store);
  store->touch(make_key("lent"), 5, 1);
  EXPECT_EQ(store.get("lent", 5), "(miss)");
  EXPECT_EQ(store.value_of(lent.item), kValue);
  store->unpin(lent.ref);
  const Lent again(store);
  store->flush(5, 5);
  store.crawl(5);
  churn(store, 5);
  EXPECT_EQ(store.look("lent", 5), "(miss)");
  EXPECT_EQ(store.value_of(again.item), kValue);
  store->unpin(again.ref);
  store->check();
}

TEST(Pin, EveryPinHasToBeGivenBack) {
  Store store(8);
  const Lent lent(store);
  EXPECT_EQ(store.pin("lent"), lent.ref);
  EXPECT_EQ(store->counters().pins, 2U);
  store.remove("lent");
  store->unpin(lent.ref);
  churn(store);
  EXPECT_EQ(store.value_of(lent.item), kValue);
  store->unpin(lent.ref);
  EXPECT_EQ(store->counters().pins, 0U);
  store->check();
}

TEST(Pin, MemoryComesBackWithTheLastOne) {
  Store store(40, {.policy = EvictionPolicy::Clock2});  // no queue that remembers where it was
  const std::uint64_t free = store->memory_stats().pages_free;
  const Lent lent(store, std::string(300'000, 'l'));  // chained: several pages
  store.remove("lent");
  EXPECT_LT(store->memory_stats().pages_free, free - 3);
  store->unpin(lent.ref);
  EXPECT_EQ(store->memory_stats().pages_free, free);
  store->check();
}

TEST(Pin, ItemsStoredUnderTheKeyMeanwhileAreTheirOwn) {
  Store store(8);
  const Lent first(store, "one");
  store.remove("lent");
  const Lent second(store, "two");
  EXPECT_NE(first.ref, second.ref);
  store.remove("lent");
  store.set("lent", "three");
  EXPECT_EQ(store.value_of(first.item), "one");
  EXPECT_EQ(store.value_of(second.item), "two");
  store->unpin(second.ref);
  store->unpin(first.ref);
  EXPECT_EQ(store.look("lent"), "three");
  store->check();
}

TEST(Pin, WhenEverythingIsLentThereIsNoMemory) {
  Store store(4, {.policy = EvictionPolicy::Clock2});
  std::vector<ItemRef> refs;
  for (int n = 0; n < 8 * 3; ++n) {
    const std::string key = std::to_string(n);
    ASSERT_EQ(store.set(key, std::string(8000, 'v')), Outcome::Stored);
    refs.push_back(store.pin(key));
  }
  EXPECT_EQ(store.set("more", std::string(8000, 'v')), Outcome::OutOfMemory);
  EXPECT_EQ(store.set("small", "v"), Outcome::OutOfMemory) << "no page can be taken either";
  EXPECT_EQ(store->counters().evictions, 0U);
  store->check();
  for (const ItemRef ref : refs) {
    store->unpin(ref);
  }
  EXPECT_EQ(store.set("more", std::string(8000, 'v')), Outcome::Stored);
  EXPECT_EQ(store.set("small", "v"), Outcome::Stored);
  store->check();
}

TEST(Pin, BeyondItsBoundItIsRefusedAndTheItemStaysAsItWas) {
  Store store(16);
  std::vector<ItemRef> refs;
  for (std::uint32_t n = 0; n < kPinsMax; ++n) {
    const std::string key = std::to_string(n);
    ASSERT_EQ(store.set(key, "v"), Outcome::Stored);
    refs.push_back(store.pin(key));
    ASSERT_NE(refs.back(), ItemRef{});
  }
  store.set("one more", "v");
  EXPECT_EQ(store.pin("one more"), ItemRef{});
  EXPECT_EQ(store->counters().pins, kPinsMax);
  EXPECT_EQ(store.get("one more"), "v");
  for (const ItemRef ref : refs) {
    store->unpin(ref);
  }
  EXPECT_EQ(store->counters().pins, 0U);
  store->check();
}

}  // namespace
}  // namespace millrace::store::tests
