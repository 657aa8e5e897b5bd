// Eviction against a model of CLOCK, step by step: who goes, when, and with which counts the others stay.
// Items of one class and of three, hits, deletes, expiry, pins and reservations between them. Arenas are small enough
// that no sweep reaches its bound (eviction_test.cc has that) and the index never grows.
// MILLRACE_TEST_OPS sets how many commands all together (default 2,000,000).
#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

#include "property/store/clock_model.h"
#include "support/seed.h"

namespace millrace::store::tests {
namespace {

using millrace::tests::number_from_environment;
using millrace::tests::test_seed;

/// A reserved item has room for an expiry and client flags.
constexpr std::uint32_t kReservedBytes = kTimeBytes + kClientFlagsBytes;

struct Shape {
  const char* name;
  std::uint32_t pages;
  std::uint32_t keys;
  std::vector<std::uint32_t> value_bytes;  ///< one size a class, with and without an expiry
};

class Driver {
 public:
  using Place = ClockModel::Place;

  Driver(const Shape& shape, std::uint64_t seed)
      : shape_(shape), random_(seed), store_(shape.pages, {.policy = EvictionPolicy::Clock2}) {
    chunk_bytes_.push_back(0);
    models_.emplace_back(1);
    for (std::uint32_t id = 1; id <= store_->classes(); ++id) {
      chunk_bytes_.push_back(store_->class_stats(id, 1).chunk_size);
      models_.emplace_back(store_->class_stats(id, 1).chunks_per_page);
    }
  }

  void run(std::uint64_t ops) {
    for (std::uint64_t op = 0; op < ops && !testing::Test::HasFailure(); ++op) {
      if (below(100) == 0) {
        ++now_;
        sweep();
      }
      step();
      notice_stolen_pages();
      if (op % std::max<std::uint64_t>(ops / 16, 1) == 0) {
        audit();
      }
    }
    while (!lent_.empty()) {
      unpin();
    }
    while (!reserved_.empty()) {
      abort();
    }
    audit();
    if (ops >= 100'000) {
      EXPECT_GT(swept_, ops / 50) << "the hand has to have had work";
    }
    EXPECT_EQ(store_->counters().evictions + store_->counters().reclaimed, swept_ + taken_with_pages_);
    std::printf("%s: %llu evictions and %llu reclaimed as predicted, %llu pages changed hands\n", shape_.name,
                static_cast<unsigned long long>(store_->counters().evictions),
                static_cast<unsigned long long>(store_->counters().reclaimed),
                static_cast<unsigned long long>(store_->counters().pages_stolen));
  }

 private:
  struct Where {
    std::uint32_t id;
    Place place;
  };
  struct Lent {
    ItemRef ref;
    std::string key;
    Where where;
  };
  struct Reserved {
    Reservation reservation;
    std::string key;
    Where where;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::string key() {
    const std::uint64_t n = below(3) == 0 ? below(shape_.keys) : below(shape_.keys / 10 + 1);
    return "key" + std::to_string(1'000'000 + n);
  }
  /// A key's values are all of one size, so that it never changes class.
  std::uint32_t value_bytes(const std::string& key) const {
    return shape_.value_bytes[std::hash<std::string>{}(key) % shape_.value_bytes.size()];
  }
  Seconds expiry() { return below(10) == 0 ? now_ + static_cast<Seconds>(1 + below(30)) : kNever; }

  std::uint32_t class_of(std::uint64_t item_bytes) const {
    return static_cast<std::uint32_t>(std::ranges::lower_bound(chunk_bytes_, item_bytes) - chunk_bytes_.begin());
  }
  Where where_is(const Item* item) {
    const std::uint32_t id = class_of(item->item_bytes());
    return {id, {store_.page_of(item), store_.offset_in_page(item) / chunk_bytes_[id]}};
  }
  ClockSlot& slot_of(const Where& where) { return models_[where.id].at(where.place); }

  bool is_dead(const ClockSlot& slot) const { return slot.expires_at != kNever && slot.expires_at <= now_; }

  /// The key's slot while it lives. A dead one goes: so does the partition's when a command looks it up.
  ClockSlot* find(const std::string& key) {
    const auto it = places_.find(key);
    if (it == places_.end()) {
      return nullptr;
    }
    ClockSlot& slot = slot_of(it->second);
    if (is_dead(slot)) {
      forget(key);
      return nullptr;
    }
    return &slot;
  }
  /// The key is gone; its memory too, unless it is lent.
  void forget(const std::string& key) {
    const Where where = places_.at(key);
    places_.erase(key);
    if (ClockSlot& slot = slot_of(where); slot.is_pinned) {
      slot.what = ClockSlot::What::Held;
    } else {
      models_[where.id].vacate(where.place);
    }
  }

  /// Before memory is taken: lets the model's hand go round when the class has no room. False: what the class has is
  /// not enough, and only another's page can help. `has_died`: the command will first free a dead item of the class.
  bool make_room(std::uint32_t id, bool has_died) {
    if (has_died || store_->class_stats(id, now_).free_chunks != 0 || store_->memory_stats().pages_free != 0) {
      return true;
    }
    const std::optional<Place> victim = models_[id].sweep(now_);
    if (victim) {
      ++swept_;
      forget(std::string(models_[id].at(*victim).key));
    }
    return victim.has_value();
  }

  /// A new second: pages that are due are swept, so that within the second only the hand takes anything. Dead items in
  /// pages that rest from an earlier sweep are left to it.
  void sweep() {
    do {
      store_->housekeep(now_, 4096);
    } while (store_->has_upkeep());
    std::vector<std::string> gone;
    for (const auto& [k, where] : places_) {
      if (is_dead(slot_of(where)) && !store_.has(k, 1)) {
        gone.push_back(k);
      }
    }
    for (const std::string& k : gone) {
      forget(k);
    }
  }

  void step() {
    const std::uint64_t dice = below(100);
    if (dice < 45) {
      get();
    } else if (dice < 80) {
      set();
    } else if (dice < 86) {
      remove();
    } else if (dice < 90) {
      touch();
    } else if (dice < 92) {
      pin();
    } else if (dice < 94) {
      unpin();
    } else if (dice < 96) {
      reserve();
    } else if (dice < 98) {
      commit();
    } else {
      abort();
    }
  }

  void get() {
    const std::string k = key();
    ClockSlot* slot = find(k);
    ASSERT_EQ(store_->get(make_key(k), now_) != nullptr, slot != nullptr) << k;
    if (slot != nullptr) {
      slot->count = std::min(slot->count + 1, 3U);
    }
  }

  void touch() {
    const std::string k = key();
    ClockSlot* slot = find(k);
    // One that is lent would move to find room for a time: expiry_test.cc has that.
    const Seconds at = slot != nullptr && slot->is_pinned ? kNever : expiry();
    ASSERT_EQ(store_->touch(make_key(k), at, now_) == Outcome::Touched, slot != nullptr) << k;
    if (slot != nullptr) {
      slot->count = std::min(slot->count + 1, 3U);
      slot->expires_at = at;
    }
  }

  void remove() {
    const std::string k = key();
    const bool is_there = find(k) != nullptr;
    ASSERT_EQ(store_->remove(make_key(k), now_) == Outcome::Deleted, is_there) << k;
    if (is_there) {
      forget(k);
    }
  }

  void set() {
    const std::string k = key();
    const Seconds at = expiry();
    const std::string value(value_bytes(k), 'v');
    const bool has_died = places_.contains(k) && is_dead(slot_of(places_.at(k))) && !slot_of(places_.at(k)).is_pinned;
    ClockSlot* old = find(k);
    const std::uint64_t gone = store_->counters().evictions + store_->counters().reclaimed;
    const std::uint64_t stolen = store_->counters().pages_stolen;
    if (old != nullptr && !old->is_pinned) {
      ASSERT_EQ(store_.set(k, value, {.expires_at = at}, now_), Outcome::Stored);
      old->expires_at = at;
      if (store_->counters().pages_stolen == stolen) {
        ASSERT_EQ(store_->counters().evictions + store_->counters().reclaimed, gone) << "in place";
      }
      return;
    }
    const std::uint64_t swept = swept_;
    const bool has_room = make_room(class_of(kItemHeaderBytes + k.size() + value.size()), has_died);
    const Outcome outcome = store_.set(k, value, {.expires_at = at}, now_);
    if (store_->counters().pages_stolen == stolen) {
      ASSERT_EQ(outcome, has_room ? Outcome::Stored : Outcome::OutOfMemory);
      ASSERT_EQ(store_->counters().evictions + store_->counters().reclaimed - gone, swept_ - swept);
    }
    if (outcome == Outcome::Stored) {
      settle(k, at);
    } else if (places_.contains(k)) {
      forget(k);
    }
  }

  /// After a command that stored: the key is where the partition put it, with the hits of what it replaced.
  /// `reserved`: where its memory was already.
  void settle(const std::string& k, Seconds expires_at, const Where* reserved = nullptr) {
    std::uint32_t count = 0;
    if (const ClockSlot* old = find(k)) {
      count = old->count;
      forget(k);
    }
    if (const Item* item = store_.peek(k, now_)) {
      const Where where = where_is(item);
      ClockSlot& slot = reserved != nullptr ? slot_of(*reserved) : models_[where.id].occupy(where.place);
      slot = {ClockSlot::What::Item, k, count, expires_at, false};
      places_[k] = where;
    } else {
      ASSERT_NE(store_->counters().pages_stolen, stolen_seen_) << k << " was stored and is not there";
      ++taken_with_pages_;
      if (reserved != nullptr) {
        models_[reserved->id].vacate(reserved->place);
      }
    }
    notice_stolen_pages();
  }

  void pin() {
    const std::string k = key();
    const Item* item = store_.peek(k, now_);
    if (item == nullptr || lent_.size() > 8) {
      return;
    }
    ClockSlot& slot = slot_of(places_.at(k));
    if (!slot.is_pinned) {
      slot.is_pinned = true;
      lent_.push_back({store_->pin(item), k, places_.at(k)});
    }
  }

  void unpin() {
    if (lent_.empty()) {
      return;
    }
    std::swap(lent_[below(lent_.size())], lent_.back());
    const Lent lent = lent_.back();
    lent_.pop_back();
    store_->unpin(lent.ref);
    ClockSlot& slot = slot_of(lent.where);
    slot.is_pinned = false;
    if (slot.what == ClockSlot::What::Held) {
      models_[lent.where.id].vacate(lent.where.place);
    }
  }

  void reserve() {
    if (reserved_.size() > 3) {
      return;
    }
    const std::string k = key();
    // With so much less of a value it is as large as a plain one.
    const std::string value(value_bytes(k) - kReservedBytes, 'r');
    const std::uint64_t stolen = store_->counters().pages_stolen;
    const bool has_room = make_room(class_of(kItemHeaderBytes + kReservedBytes + k.size() + value.size()), false);
    Reservation reservation;
    const Outcome outcome = store_.reserve(k, value, reservation, now_);
    const bool was_stolen = store_->counters().pages_stolen != stolen;
    notice_stolen_pages();
    if (outcome != Outcome::Stored) {
      ASSERT_FALSE(has_room && !was_stolen);
      if (places_.contains(k)) {
        forget(k);
      }
      return;
    }
    const auto span = store_->reserved_span(reservation, 0);
    const auto* item = reinterpret_cast<const Item*>(span.data() - kItemHeaderBytes - kReservedBytes - k.size());
    const Where where = where_is(item);
    models_[where.id].occupy(where.place) = {ClockSlot::What::Held, k, 0, kNever, false};
    reserved_.push_back({reservation, k, where});
  }

  void commit() {
    if (reserved_.empty()) {
      return;
    }
    const Reserved reserved = take_reserved();
    ASSERT_EQ(store_.commit(reserved.key, reserved.reservation, {}, now_), Outcome::Stored);
    settle(reserved.key, kNever, &reserved.where);
  }

  void abort() {
    if (reserved_.empty()) {
      return;
    }
    const Reserved reserved = take_reserved();
    store_->abort(reserved.reservation);
    models_[reserved.where.id].vacate(reserved.where.place);
  }

  Reserved take_reserved() {
    std::swap(reserved_[below(reserved_.size())], reserved_.back());
    Reserved reserved = reserved_.back();
    reserved_.pop_back();
    return reserved;
  }

  /// A page that changes hands takes everything in it along, and nothing else.
  void notice_stolen_pages() {
    if (store_->counters().pages_stolen == stolen_seen_) {
      return;
    }
    std::uint64_t emptied = 0;
    std::vector<std::string> missing;
    for (const ClockModel& model : models_) {
      for (const auto& [page, slots] : model.pages()) {
        std::size_t left = 0;
        const std::size_t missing_before = missing.size();
        for (const ClockSlot& slot : slots) {
          // At the first second nothing has expired: what is dead and not taken out yet is still seen.
          if (slot.what == ClockSlot::What::Item && !store_.has(slot.key, 1)) {
            missing.push_back(slot.key);
          } else {
            left += slot.what != ClockSlot::What::Free ? 1 : 0;
          }
        }
        const bool is_emptied = missing.size() != missing_before;
        ASSERT_FALSE(is_emptied && left != 0) << "page " << page << " was emptied in part";
        emptied += is_emptied ? 1 : 0;
      }
    }
    ASSERT_LE(emptied, store_->counters().pages_stolen - stolen_seen_);  // one that held nothing goes unseen
    stolen_seen_ = store_->counters().pages_stolen;
    taken_with_pages_ += missing.size();
    for (const std::string& k : missing) {
      forget(k);
    }
  }

  void audit() {
    store_->check();
    for (const auto& [k, where] : places_) {
      const ClockSlot& slot = slot_of(where);
      const Item* item = store_.peek(k, now_);
      ASSERT_EQ(item != nullptr, !is_dead(slot)) << k;
      if (item != nullptr) {
        ASSERT_EQ(item->clock(), slot.count) << k;
        ASSERT_EQ(where_is(item).place, where.place) << k;
      }
    }
    ASSERT_EQ(store_->counters().curr_items, places_.size());
  }

  Shape shape_;
  std::mt19937_64 random_;
  Store store_;
  std::vector<std::uint32_t> chunk_bytes_;  ///< by class
  std::vector<ClockModel> models_;          ///< by class
  std::unordered_map<std::string, Where> places_;
  std::vector<Lent> lent_;
  std::vector<Reserved> reserved_;
  Seconds now_ = 1;
  std::uint64_t swept_ = 0;
  std::uint64_t stolen_seen_ = 0;
  std::uint64_t taken_with_pages_ = 0;
};

class ClockProperty : public testing::TestWithParam<Shape> {};

TEST_P(ClockProperty, EvictsWhatTheModelSays) {
  const std::uint64_t ops = number_from_environment("MILLRACE_TEST_OPS", 2'000'000) / 4;
  Driver driver(GetParam(), test_seed() + GetParam().pages);
  driver.run(ops);
}

INSTANTIATE_TEST_SUITE_P(Shapes, ClockProperty,
                         testing::Values(Shape{"one_class", 8, 1200, {1000}}, Shape{"three_a_page", 60, 500, {20'000}},
                                         Shape{"one_a_page", 60, 150, {60'000}},
                                         Shape{"three_classes", 16, 1500, {900, 2400, 7000}}),
                         [](const auto& shape) { return std::string(shape.param.name); });

}  // namespace
}  // namespace millrace::store::tests
