// What the meta commands do to a partition against a map that says the same in a line each: values, CAS numbers given
// and not, stale marks and tokens, conditions, keys made by look-ups. Nothing is evicted here: the arena is large.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>

#include "support/seed.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

struct Expected {
  std::string value;
  std::uint32_t flags = 0;
  Seconds expires_at = kNever;
  std::optional<Cas> given_cas{};
  Cas change = 0;
  bool is_stale = false;
  bool has_won = false;

  [[nodiscard]] Cas cas() const { return given_cas.value_or(change); }
};

class MetaModel {
 public:
  explicit MetaModel(std::uint64_t seed) : random_(seed) {}

  void step() {
    now_ += draw(40) == 0 ? 1 + static_cast<Seconds>(draw(5)) : 0;
    key_ = "key" + std::to_string(draw(12));
    expire();
    switch (draw(8)) {
      case 0:
      case 1:
        return set();
      case 2:
        return join();
      case 3:
        return compare_and_set();
      case 4:
        return remove();
      case 5:
        return arith();
      case 6:
        return look();
      default:
        return draw(50) == 0 ? flush() : look();
    }
  }

  void audit() {
    for (int i = 0; i < 12; ++i) {
      key_ = "key" + std::to_string(i);
      expire();
      check();
    }
    store_->check();
  }

 private:
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  Key key() const { return make_key(key_); }
  Expected* old() {
    const auto found = items_.find(key_);
    return found != items_.end() ? &found->second : nullptr;
  }
  void expire() {
    if (const Expected* item = old(); item != nullptr && has_expired(item->expires_at, now_)) {
      items_.erase(key_);
    }
  }
  std::string value() {
    static constexpr std::size_t kLimits[] = {3, 40, 300, 9000, 100'000};
    return std::string(draw(kLimits[draw(draw(8) == 0 ? 5 : 3)] + 1), static_cast<char>('a' + draw(26)));
  }
  Seconds expiry() { return draw(3) == 0 ? kNever : now_ + 1 + static_cast<Seconds>(draw(30)); }
  std::uint32_t flags() { return draw(3) == 0 ? static_cast<std::uint32_t>(random_()) : 0; }
  std::optional<Cas> given() {
    if (draw(3) != 0) {
      return std::nullopt;
    }
    return draw(2) == 0 ? draw(50) : random_();
  }
  /// Mostly the right one.
  Cas some_cas() {
    const Expected* item = old();
    return item == nullptr || draw(3) == 0 ? 1 + draw(100) : item->cas() + (draw(4) == 0 ? 1 : 0);
  }

  /// The store numbers its changes; what the model cannot know it takes over, and holds to having risen.
  void take_change(Expected& item) {
    const Item* found = store_->peek(key(), now_);
    ASSERT_NE(found, nullptr);
    ASSERT_GT(found->change(), last_change_);
    last_change_ = found->change();
    item.change = last_change_;
  }

  void check() {
    const Expected* expected = old();
    const Item* item = store_->peek(key(), now_);
    ASSERT_EQ(item != nullptr, expected != nullptr) << key_;
    if (item == nullptr) {
      return;
    }
    ASSERT_EQ(item->cas(), expected->cas());
    ASSERT_EQ(item->client_flags(), expected->flags);
    ASSERT_EQ(item->expires_at(), expected->expires_at);
    ASSERT_EQ(item->is_stale(), expected->is_stale);
    ASSERT_EQ(item->has_won(), expected->has_won);
    ASSERT_TRUE(store_.value_of(item) == expected->value) << key_;
  }

  void set() {
    const Expected item{.value = value(), .flags = flags(), .expires_at = expiry(), .given_cas = given()};
    const StoreMode mode = draw(3) == 0 ? StoreMode::Add : draw(3) == 0 ? StoreMode::Replace : StoreMode::Set;
    const StoreReply reply =
        store_->store(key(), item.value, {.mode = mode, .flags = item.flags, .expires_at = item.expires_at},
                      {.given_cas = item.given_cas}, now_);
    const bool stores = mode == StoreMode::Set || (mode == StoreMode::Add) == (old() == nullptr);
    ASSERT_EQ(reply.outcome, stores ? Outcome::Stored : Outcome::NotStored);
    if (stores) {
      items_[key_] = item;
      take_change(items_[key_]);
      ASSERT_EQ(reply.cas, items_[key_].cas());
    }
    check();
  }

  void join() {
    const std::string added = value();
    const bool at_end = draw(2) == 0;
    const MetaStoreArgs meta{.vivifies = draw(2) == 0, .given_cas = given()};
    const Seconds expires_at = expiry();
    const Cas compare = draw(3) == 0 ? some_cas() : 0;
    const StoreReply reply = store_->store(
        key(), added,
        {.mode = at_end ? StoreMode::Append : StoreMode::Prepend, .expires_at = expires_at, .cas_compare = compare},
        meta, now_);
    Expected* item = old();
    if (item == nullptr) {
      ASSERT_EQ(reply.outcome, meta.vivifies ? Outcome::Stored : Outcome::NotStored);
      if (meta.vivifies) {
        items_[key_] = {.value = added, .expires_at = expires_at, .given_cas = meta.given_cas};
        take_change(items_[key_]);
      }
    } else if (compare != 0 && compare != item->cas()) {
      ASSERT_EQ(reply.outcome, Outcome::Exists);
    } else {
      ASSERT_EQ(reply.outcome, Outcome::Stored);
      item->value = at_end ? item->value + added : added + item->value;
      item->given_cas = meta.given_cas;
      item->is_stale = item->has_won = false;
      take_change(*item);
      if (item->value.size() > 300'000) {
        ASSERT_EQ(store_->remove(key(), now_), Outcome::Deleted);
        items_.erase(key_);
      }
    }
    check();
  }

  void compare_and_set() {
    Expected item{.value = value(), .flags = flags(), .expires_at = expiry(), .given_cas = given()};
    const Cas compare = some_cas();
    const bool takes_stale = draw(2) == 0;
    const StoreReply reply = store_->store(
        key(), item.value,
        {.mode = StoreMode::Cas, .flags = item.flags, .expires_at = item.expires_at, .cas_compare = compare},
        {.takes_stale = takes_stale, .given_cas = item.given_cas}, now_);
    const Expected* before = old();
    if (before == nullptr) {
      ASSERT_EQ(reply.outcome, Outcome::NotFound);
    } else if (compare == before->cas()) {
      ASSERT_EQ(reply.outcome, Outcome::Stored);
      items_[key_] = item;
      take_change(items_[key_]);
    } else if (takes_stale && compare != 0 && compare < before->cas()) {
      ASSERT_EQ(reply.outcome, Outcome::Stored);
      item.expires_at = before->expires_at;
      item.has_won = before->has_won;
      item.is_stale = true;
      items_[key_] = item;
      take_change(items_[key_]);
    } else {
      ASSERT_EQ(reply.outcome, Outcome::Exists);
    }
    check();
  }

  void remove() {
    MetaDeleteArgs args{
        .marks_stale = draw(2) == 0, .removes_value = draw(3) == 0, .flags = flags(), .given_cas = given()};
    args.compare = draw(3) == 0 ? std::optional(some_cas()) : std::nullopt;
    args.expires_at = draw(2) == 0 ? std::optional(expiry()) : std::nullopt;
    const Outcome outcome = store_->remove(key(), args, now_);
    Expected* item = old();
    if (item == nullptr || (args.compare && *args.compare != item->cas())) {
      ASSERT_EQ(outcome, item == nullptr ? Outcome::NotFound : Outcome::Exists);
      return check();
    }
    ASSERT_EQ(outcome, Outcome::Deleted);
    if (args.removes_value) {
      const Cas cas = item->cas();
      *item = {.value = {},
               .flags = args.flags,
               .expires_at = args.expires_at.value_or(kNever),
               .given_cas = args.given_cas.value_or(cas)};
      last_change_ = std::max(last_change_, store_->peek(key(), now_)->change());
    } else if (!args.marks_stale) {
      items_.erase(key_);
    }
    if (args.marks_stale) {
      item->expires_at = args.expires_at.value_or(item->expires_at);
      item->is_stale = true;
      item->has_won = false;
      item->given_cas = args.given_cas;
      if (!args.given_cas) {
        const Item* found = store_->peek(key(), now_);
        item->change = found->change();
        last_change_ = std::max(last_change_, item->change);
      }
    }
    check();
  }

  void arith() {
    MetaArithArgs args{.delta = draw(1000),
                       .is_decrement = draw(3) == 0,
                       .compare = draw(4) == 0 ? some_cas() : 0,
                       .vivifies = draw(2) == 0,
                       .initial = draw(100'000),
                       .given_cas = given()};
    bool created = false;
    const ArithReply reply = store_->arith(key(), args, now_, created);
    Expected* item = old();
    if (item == nullptr) {
      ASSERT_EQ(created, args.vivifies);
      ASSERT_EQ(reply.outcome, args.vivifies ? Outcome::Stored : Outcome::NotFound);
      if (created) {
        items_[key_] = {.value = std::to_string(args.initial), .given_cas = args.given_cas};
        take_change(items_[key_]);
      }
      return check();
    }
    ASSERT_FALSE(created);
    const std::string digits = item->value.substr(0, item->value.find(' '));
    const bool is_number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
    if (args.compare != 0 && args.compare != item->cas() && !item->value.empty() && item->value.size() < 4000) {
      ASSERT_EQ(reply.outcome, Outcome::Exists);
    } else if (!is_number) {
      ASSERT_NE(reply.outcome, Outcome::Stored);
    } else {
      const std::uint64_t before = std::stoull(digits);
      const std::uint64_t after = !args.is_decrement ? before + args.delta : before - std::min(before, args.delta);
      ASSERT_EQ(reply.outcome, Outcome::Stored);
      ASSERT_EQ(reply.number, after);
      std::string text = std::to_string(after);
      if (text.size() > item->value.size()) {
        item->is_stale = item->has_won = false;
      }
      text.resize(std::max(text.size(), item->value.size()), ' ');
      item->value = text;
      item->given_cas = args.given_cas;
      take_change(*item);
    }
    check();
  }

  void look() {
    const Item* item = store_->find(key(), now_);
    Expected* expected = old();
    ASSERT_EQ(item != nullptr, expected != nullptr);
    if (item == nullptr) {
      if (draw(2) == 0) {
        const std::optional<Cas> cas = given();
        ASSERT_NE(store_->vivify(key(), cas, now_), nullptr);
        items_[key_] = {};
        items_[key_].given_cas = cas;
        take_change(items_[key_]);
      }
      return check();
    }
    const MetaChange change{.expires_at = draw(3) == 0 ? std::optional(expiry()) : std::nullopt,
                            .wins = draw(3) == 0,
                            .bumps = draw(2) == 0};
    ASSERT_NE(store_->change(key(), change, now_), nullptr);
    expected->expires_at = change.expires_at.value_or(expected->expires_at);
    expected->has_won |= change.wins;
    check();
  }

  void flush() {
    store_->flush(now_, now_);
    items_.clear();
    check();
  }

  std::mt19937_64 random_;
  Store store_{2048};
  std::map<std::string, Expected> items_;
  std::string key_;
  Seconds now_ = 10;
  Cas last_change_ = 0;
};

TEST(MetaProperty, APartitionIsAMapWithMarks) {
  const std::uint64_t seed = millrace::tests::test_seed();
  const std::uint64_t worlds = millrace::tests::number_from_environment("MILLRACE_TEST_WORLDS", 20);
  for (std::uint64_t world = 0; world < worlds && !::testing::Test::HasFatalFailure(); ++world) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", world " + std::to_string(world));
    MetaModel model(seed + world);
    for (int i = 0; i < 4000 && !::testing::Test::HasFatalFailure(); ++i) {
      model.step();
    }
    model.audit();
  }
}

}  // namespace
}  // namespace millrace::store::tests
