// incr and decr. The number is kept as text; its value keeps flags and expiry and gets a new CAS number. Owner only.
// A shorter result is padded with blanks to the old length, as memcached does.
#include <algorithm>
#include <array>
#include <charconv>

#include "base/assert.h"
#include "store/decimal.h"
#include "store/partition.h"

namespace millrace::store {

/// Digits of the largest number.
constexpr std::uint32_t kDigitsMax = 20;
static_assert(kItemHeaderBytes + kTimeBytes + kClientFlagsBytes + kGivenCasBytes + kKeyBytesMax + kDigitsMax <=
                  kPageBytesMin / 8,
              "a number is not chained by growing");

ArithReply Partition::arith(const Key& key, std::uint64_t delta, bool is_decrement, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = find_live(key, now);
  if (!slot) {
    ++(is_decrement ? counters_.decr_misses : counters_.incr_misses);
    return {Outcome::NotFound};
  }
  Item& item = *item_at(slot.ref());
  const auto number = !item.is_chained() && item.value_bytes() <= kNumberBytesMax
                          ? parse_decimal({item.value(), item.value_bytes()})
                          : std::nullopt;
  if (!number) {
    return {Outcome::NotNumeric};
  }
  const std::uint64_t result = !is_decrement ? *number + delta : *number > delta ? *number - delta : 0;
  ++(is_decrement ? counters_.decr_hits : counters_.incr_hits);
  ClassStats& stats = class_stats_[class_of(item)];
  ++(is_decrement ? stats.decr_hits : stats.incr_hits);
  item.bump();

  std::array<char, kDigitsMax> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), result).ptr;
  const std::string_view text{digits.data(), static_cast<std::size_t>(end - digits.data())};
  if (rewrite_number(item, text)) {
    const Cas cas = item.cas();
    tend(now);
    return {Outcome::Stored, result, cas};
  }
  const auto value_bytes = std::max(item.value_bytes(), static_cast<std::uint32_t>(text.size()));
  const std::uint64_t epoch = index_.epoch();
  const ItemShape shape{item.key_bytes(), item.has_time(), item.has_client_flags(), value_bytes, item.has_given_cas()};
  Item* renewed = allocate_beside(item, shape, key.bytes, now);
  if (renewed == nullptr) {
    ++counters_.store_no_memory;
    return {Outcome::OutOfMemory};
  }
  std::memset(renewed->value(), ' ', value_bytes);
  std::memcpy(renewed->value(), text.data(), text.size());
  const IndexSlot place = index_.epoch() == epoch ? slot : index_.find(key);
  const StoreReply reply = finish(key.hash, *renewed, place, item.client_flags(), item.expires_at(), now);
  return {reply.outcome, result, reply.cas};
}

bool Partition::rewrite_number(Item& item, std::string_view text) noexcept {
  const std::uint32_t before = item.value_bytes();
  const auto after = std::max(before, static_cast<std::uint32_t>(text.size()));
  if (is_pinned(item) || sizes_.contiguous(item.item_bytes() - before + after) != class_of(item)) {
    return false;
  }
  uncount(item);
  item.resize_value(after);
  std::memcpy(item.value(), text.data(), text.size());
  std::memset(item.value() + text.size(), ' ', after - text.size());
  item.set_cas(next_cas());
  if (after != before) {  // a new value rather than a changed one: what was said of the old is void
    item.set_marks(false, false);
  }
  count(item);
  return true;
}

}  // namespace millrace::store
