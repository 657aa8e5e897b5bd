// A partition against a map, under millions of random commands: small arenas and large ones, with and without eviction.
// MILLRACE_TEST_OPS sets how many commands all together (default 3,000,000).
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>

#include "property/store/partition_model.h"
#include "store/decimal.h"
#include "support/seed.h"

namespace millrace::store::tests {
namespace {

using millrace::tests::number_from_environment;
using millrace::tests::test_seed;

struct Shape {
  const char* name;
  std::uint32_t pages;
  std::uint32_t keys;
  std::uint32_t usual_bytes;  ///< most values are shorter
  std::uint32_t large_bytes;  ///< some are up to this
  bool evicts;
  bool changes_limit;
  std::uint32_t flush_one_in;  ///< commands
  std::uint32_t page_bytes = kPageBytes;
};

class Driver {
 public:
  Driver(const Shape& shape, std::uint64_t seed)
      : shape_(shape),
        random_(seed),
        store_(shape.pages, {.page_bytes = shape.page_bytes, .evicts = shape.evicts}),
        model_(store_) {}

  void run(std::uint64_t ops) {
    for (std::uint64_t op = 0; op < ops && !testing::Test::HasFatalFailure(); ++op) {
      now_ += chance(200) ? 1 : 0;
      step();
      check_memory();
      if (op % std::max<std::uint64_t>(ops / 8, 1) == 0) {
        model_.audit(now_);
      }
    }
    finish(ops >= kOpsThatFill);
  }

 private:
  /// Fewer need not lead to everything that a shape is there for.
  static constexpr std::uint64_t kOpsThatFill = 200'000;

  struct Pending {
    std::string key;
    std::string value;
    Reservation reservation;
  };
  struct Pinned {
    const Item* item;
    ItemRef ref;
    std::string key;
    std::string value;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }

  std::string key() {
    // Skewed: some keys are asked for much more often.
    const std::uint64_t n = chance(2) ? below(shape_.keys / 16 + 1) : below(shape_.keys);
    return std::string(n % 40, '.').append(std::to_string(n));
  }
  std::string value() {
    const std::uint64_t most = chance(50) ? shape_.large_bytes : shape_.usual_bytes;
    const std::uint64_t size = below(most + 1);
    if (chance(5)) {
      return std::to_string(random_() >> below(64));
    }
    std::string v(size, '\0');
    const std::uint64_t tint = random_();
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = static_cast<char>(tint >> (i % 7 * 8)) ^ static_cast<char>(i * 31);
    }
    return v;
  }
  Seconds expiry() { return chance(8) ? now_ + static_cast<Seconds>(below(20)) : kNever; }
  std::uint32_t flags() { return chance(3) ? static_cast<std::uint32_t>(random_()) : 0; }

  void step() {
    const std::uint64_t dice = below(100);
    if (dice < 40) {
      get();
    } else if (dice < 70) {
      storing();
    } else if (dice < 76) {
      remove();
    } else if (dice < 82) {
      arith();
    } else if (dice < 85) {
      touch();
    } else if (dice < 90) {
      reserve();
    } else if (dice < 94) {
      settle();
    } else if (dice < 97) {
      pin();
    } else if (dice < 99) {
      unpin();
    } else {
      seldom();
    }
  }

  void get() {
    const std::string k = key();
    ModelItem* expected = model_.look(k, now_);
    const Seconds at = expiry();
    const bool touches = chance(8);
    const Item* item = touches ? store_->get_and_touch(make_key(k), at, now_) : store_->get(make_key(k), now_);
    if (touches && item == nullptr && expected != nullptr) {
      lose_for_a_time(k, *expected, at);
      return;
    }
    ASSERT_EQ(item != nullptr, expected != nullptr) << k;
    if (touches && expected != nullptr) {
      expected->expires_at = at;
    }
    if (item != nullptr) {
      model_.compare(k, *expected, item);
    }
  }

  Outcome expected_outcome(const ModelItem* old, const StoreArgs& args) {
    switch (args.mode) {
      case StoreMode::Set:
        return Outcome::Stored;
      case StoreMode::Add:
        return old == nullptr ? Outcome::Stored : Outcome::NotStored;
      case StoreMode::Cas:
        return old == nullptr ? Outcome::NotFound : old->cas == args.cas_compare ? Outcome::Stored : Outcome::Exists;
      default:
        return old != nullptr ? Outcome::Stored : Outcome::NotStored;
    }
  }

  StoreArgs arguments(const ModelItem* old) {
    constexpr std::array kModes{StoreMode::Set,     StoreMode::Set,    StoreMode::Set,     StoreMode::Add,
                                StoreMode::Replace, StoreMode::Append, StoreMode::Prepend, StoreMode::Cas};
    StoreArgs args{.mode = kModes[below(kModes.size())], .flags = flags(), .expires_at = expiry()};
    if (args.mode == StoreMode::Cas) {
      args.cas_compare = old != nullptr && !chance(3) ? old->cas : below(1000);
    }
    return args;
  }

  /// What the command makes of the model, once the partition has answered.
  void settle_store(const std::string& k, ModelItem* old, const std::string& v, const StoreArgs& args,
                    StoreReply reply) {
    if (reply.outcome == Outcome::OutOfMemory || reply.outcome == Outcome::TooLarge) {
      const bool joined = args.mode == StoreMode::Append || args.mode == StoreMode::Prepend;
      ASSERT_TRUE(!shape_.evicts || v.size() + (old != nullptr && joined ? old->value.size() : 0) > kPageBytes / 2 ||
                  shape_.pages < 64)
          << "no memory for " << v.size() << " bytes";
      if (args.mode == StoreMode::Set) {
        model_.erase(k);
      }
      return;
    }
    ASSERT_EQ(reply.outcome, expected_outcome(old, args)) << k;
    if (reply.outcome != Outcome::Stored) {
      return;
    }
    ASSERT_GT(reply.cas, last_cas_);
    last_cas_ = reply.cas;
    ModelItem item{v, args.flags, args.expires_at, reply.cas};
    if (args.mode == StoreMode::Append || args.mode == StoreMode::Prepend) {
      item.value = args.mode == StoreMode::Append ? old->value + v : v + old->value;
      item.flags = old->flags;
      item.expires_at = old->expires_at;
    }
    model_.put(k, std::move(item));
  }

  void storing() {
    const std::string k = key();
    const std::string v = value();
    ModelItem* old = model_.look(k, now_);
    const StoreArgs args = arguments(old);
    const StoreReply reply = store_->store(make_key(k), v, args, now_);
    settle_store(k, old, v, args, reply);
  }

  void remove() {
    const std::string k = key();
    const bool there = model_.look(k, now_) != nullptr;
    ASSERT_EQ(store_->remove(make_key(k), now_), there ? Outcome::Deleted : Outcome::NotFound);
    model_.erase(k);
  }

  void touch() {
    const std::string k = key();
    ModelItem* item = model_.look(k, now_);
    const Seconds at = expiry();
    const Outcome outcome = store_->touch(make_key(k), at, now_);
    if (item != nullptr && outcome == Outcome::NotFound) {
      lose_for_a_time(k, *item, at);
      return;
    }
    ASSERT_EQ(outcome, item != nullptr ? Outcome::Touched : Outcome::NotFound);
    if (item != nullptr) {
      item->expires_at = at;
    }
  }

  /// An item that had no time and found no memory for one is gone.
  void lose_for_a_time(const std::string& k, const ModelItem& item, Seconds at) {
    ASSERT_TRUE(item.expires_at == kNever && at != kNever && (!shape_.evicts || shape_.pages < 64)) << k;
    model_.erase(k);
  }

  void arith() {
    const std::string k = key();
    ModelItem* item = model_.look(k, now_);
    const std::uint64_t delta = random_() >> below(64);
    const bool down = chance(2);
    const Item* before = store_.peek(k, now_);
    const bool is_in_pieces = before != nullptr && before->is_chained();
    const ArithReply reply = store_->arith(make_key(k), delta, down, now_);
    if (item == nullptr) {
      ASSERT_EQ(reply.outcome, Outcome::NotFound);
      return;
    }
    const std::optional<std::uint64_t> number = is_in_pieces ? std::nullopt : number_in(item->value);
    if (reply.outcome == Outcome::OutOfMemory) {
      ASSERT_TRUE(number && (!shape_.evicts || shape_.pages < 64));
      return;
    }
    ASSERT_EQ(reply.outcome, number ? Outcome::Stored : Outcome::NotNumeric) << item->value.substr(0, 40);
    if (!number) {
      return;
    }
    const std::uint64_t after = !down ? *number + delta : *number > delta ? *number - delta : 0;
    ASSERT_EQ(reply.number, after);
    std::string text = std::to_string(after);
    text.resize(std::max(text.size(), item->value.size()), ' ');
    ASSERT_GT(reply.cas, last_cas_);
    last_cas_ = reply.cas;
    item->value = text;
    item->cas = reply.cas;
  }

  /// A second opinion on what is a number: memcached's, which asks strtoull.
  static std::optional<std::uint64_t> number_in(const std::string& v) {
    if (v.size() > kNumberBytesMax) {
      return std::nullopt;
    }
    errno = 0;
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(v.c_str(), &end, 10);
    const bool is_negative = number >> 63 != 0 && std::memchr(v.data(), '-', static_cast<std::size_t>(end - v.c_str()));
    if (errno == ERANGE || end == v.c_str() || is_negative ||
        (*end != '\0' && std::isspace(static_cast<unsigned char>(*end)) == 0)) {
      return std::nullopt;
    }
    return number;
  }

  void reserve() {
    if (pending_.size() >= 6) {
      return;
    }
    Pending p{key(), value(), {}};
    ModelItem* old = model_.look(p.key, now_);
    const Outcome outcome = store_.reserve(p.key, p.value, p.reservation, now_, 1 + below(100'000));
    if (outcome == Outcome::Stored) {
      pending_.push_back(std::move(p));
    } else {
      settle_store(p.key, old, p.value, {}, {outcome});
    }
  }

  void settle() {
    if (pending_.empty()) {
      return;
    }
    const std::size_t at = below(pending_.size());
    const Pending p = pending_[at];
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(at));
    if (chance(4)) {
      store_->abort(p.reservation);
      return;
    }
    ModelItem* old = model_.look(p.key, now_);
    const StoreArgs args = arguments(old);
    const StoreReply reply = store_->commit(p.reservation, make_key(p.key).hash, args, now_);
    if (reply.outcome == Outcome::OutOfMemory && args.mode == StoreMode::Set) {
      model_.look(p.key, now_);  // the index had no room; an old value would have had its place
      return;
    }
    settle_store(p.key, old, p.value, args, reply);
  }

  void pin() {
    if (pinned_.size() >= 20) {
      return;
    }
    const std::string k = key();
    const ModelItem* expected = model_.look(k, now_);
    const Item* item = store_->peek(make_key(k), now_);
    ASSERT_EQ(item != nullptr, expected != nullptr);
    if (item != nullptr) {
      const ItemRef ref = store_->pin(item);
      ASSERT_NE(ref, ItemRef{});
      pinned_.push_back({item, ref, k, expected->value});
    }
  }

  void unpin() {
    if (!pinned_.empty()) {
      const std::size_t at = below(pinned_.size());
      const Pinned p = pinned_[at];
      pinned_.erase(pinned_.begin() + static_cast<std::ptrdiff_t>(at));
      ASSERT_EQ(p.item->key(), p.key);
      ASSERT_TRUE(store_.value_of(p.item) == p.value) << "a pinned value changed";
      store_->unpin(p.ref);
    }
  }

  void seldom() {
    if (chance(shape_.flush_one_in / 100)) {
      const Seconds at = now_ + static_cast<Seconds>(below(3));
      store_->flush(at, now_);
      model_.flush(at, now_);
    } else if (shape_.changes_limit && chance(50)) {
      const std::uint64_t half = std::uint64_t{shape_.pages / 2} * kPageBytes;
      if (store_->set_limit(half + below(half + 1))) {
        ++limits_set_;
      }
    } else {
      store_->housekeep(now_, static_cast<std::uint32_t>(below(200)));
    }
  }

  /// Never more than the limit; while one that was lowered is being reached, never more than just before.
  void check_memory() {
    const MemoryStats memory = store_->memory_stats();
    const std::uint64_t in_use = memory.pages_items + memory.pages_index + memory.pages_overflow;
    ASSERT_LE(memory.pages_limit, memory.pages_arena);
    ASSERT_LE(in_use, std::max(memory.pages_limit, pages_in_use_));
    pages_in_use_ = in_use;
  }

  void finish(bool has_filled) {
    while (!pinned_.empty()) {
      unpin();
    }
    while (!pending_.empty()) {
      settle();
    }
    model_.audit(now_);
    EXPECT_EQ(store_->counters().pins, 0U);
    EXPECT_EQ(store_->counters().reservations, 0U);
    EXPECT_TRUE(shape_.evicts || store_->counters().evictions == 0);
    if (has_filled) {
      EXPECT_EQ(shape_.changes_limit, limits_set_ > 0);
      EXPECT_EQ(shape_.evicts, store_->counters().evictions > 0);
    }
    std::printf(
        "%s: %zu items, %llu pages of index, %llu evictions of which %llu seen, %llu pages stolen, %llu reclaimed\n",
        shape_.name, model_.size(), static_cast<unsigned long long>(store_->memory_stats().pages_index),
        static_cast<unsigned long long>(store_->counters().evictions),
        static_cast<unsigned long long>(model_.learned_evictions()),
        static_cast<unsigned long long>(store_->counters().pages_stolen),
        static_cast<unsigned long long>(store_->counters().reclaimed));
  }

  Shape shape_;
  std::mt19937_64 random_;
  Store store_;
  Model model_;
  Seconds now_ = 1;
  Cas last_cas_ = 0;
  std::vector<Pending> pending_;
  std::vector<Pinned> pinned_;
  std::uint32_t limits_set_ = 0;
  std::uint64_t pages_in_use_ = 0;
};

class PartitionProperty : public testing::TestWithParam<Shape> {};

TEST_P(PartitionProperty, AgreesWithAMap) {
  const std::uint64_t ops = number_from_environment("MILLRACE_TEST_OPS", 3'000'000) / 8;
  Driver driver(GetParam(), test_seed() + GetParam().pages);
  driver.run(ops);
}

INSTANTIATE_TEST_SUITE_P(Shapes, PartitionProperty,
                         testing::Values(Shape{"tiny", 8, 400, 120, 3000, true, false, 100'000},
                                         Shape{"small_pages", 6, 2000, 200, 20'000, true, true, 100'000, 4096},
                                         Shape{"middling_pages", 30, 9000, 300, 60'000, true, false, 100'000, 16'384},
                                         Shape{"small", 40, 4000, 300, 30'000, true, false, 100'000},
                                         Shape{"middling", 128, 30'000, 200, 200'000, true, true, 100'000},
                                         Shape{"large_values", 320, 50'000, 500, 900'000, true, false, 100'000},
                                         Shape{"growing_index", 44, 200'000, 40, 100, true, false, 100'000'000},
                                         Shape{"no_eviction", 64, 10'000, 200, 20'000, false, false, 100'000}),
                         [](const auto& shape) { return std::string(shape.param.name); });

}  // namespace
}  // namespace millrace::store::tests
