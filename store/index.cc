#include "store/index.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace millrace::store {
namespace {

/// Mean entries a bucket at which the index grows: 85 % of the lanes. A bucket then overflows one time in four.
constexpr std::uint64_t grow_above(std::uint64_t buckets) noexcept { return buckets * kBucketLanes * 85 / 100; }
/// Below this load overflow is rare enough that no page is set aside for it.
constexpr std::uint64_t overflow_above(std::uint64_t buckets) noexcept { return buckets * kBucketLanes * 25 / 100; }

}  // namespace

Index::Index(PagePool& pages, SlabAllocator& slabs, std::uint64_t hash_seed, std::uint32_t pages_max)
    : pages_(pages),
      slabs_(slabs),
      seed_(hash_seed),
      page_shift_(pages.page_shift() - kBucketShift),
      pages_max_(pages_max),
      directory_(std::make_unique<std::uint32_t[]>(pages_max)) {}

Index::Entry Index::look_up_further(const Bucket& bucket, const Key& key) const noexcept {
  const std::uint8_t tag = tag_of(key.hash);
  for (ItemRef next = bucket.overflow; next != ItemRef{};) {
    Bucket* const further = overflow_at(next);
    for (std::uint32_t mask = match(*further, tag); mask != 0; mask &= mask - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
      const Item::Head head(*item_at(further->refs[lane]));
      if (is_same(head.key(), key.bytes)) {
        return {.head = head, .slot = {further, lane}};
      }
    }
    next = further->overflow;
  }
  return {};
}

/// Of the same size.
bool Index::is_same_of_any_size(std::string_view a, std::string_view b) noexcept {
  if (a.size() < 8) {
    return a == b;
  }
  const auto differ_at = [&](std::size_t at) {
    std::uint64_t words[2];
    std::memcpy(words, a.data() + at, 8);
    std::memcpy(words + 1, b.data() + at, 8);
    return words[0] != words[1];
  };
  // The end of a key tells most. Leaving at a difference also keeps the compiler from preparing for long keys.
  const std::size_t last = a.size() - 8;
  if (differ_at(last)) {
    return false;
  }
  for (std::size_t at = 0; at < last; at += 8) {
    if (differ_at(at)) {
      return false;
    }
  }
  return true;
}

/// Loops of a few instructions each: a prefetch that has to look its page up first is waited for by everything behind
/// it, and only so are the next ones among what the processor has begun meanwhile.
void Index::prefetch_all(std::span<const Key> keys) const noexcept {
  MR_DCHECK(keys.size() <= kPrefetchMax);
  std::array<const Bucket*, kPrefetchMax> buckets;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    buckets[i] = &bucket_at(home(keys[i].hash));
    prefetch(buckets[i]);
  }
  // One item in twenty lies in an overflow bucket when the index is about to grow. Their second buckets are asked for
  // along with everybody's items, and only then looked at. (Numbers, so that nothing is to be cleared for a batch of
  // one.)
  std::array<std::uint8_t, kPrefetchMax> further;
  static_assert(kPrefetchMax <= 256);
  std::size_t count = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Bucket& bucket = *buckets[i];
    if (!prefetch_items(bucket, keys[i].hash) && bucket.overflow != ItemRef{}) {
      prefetch(overflow_at(bucket.overflow));
      further[count++] = static_cast<std::uint8_t>(i);
    }
  }
  for (const std::uint8_t i : std::span(further).first(count)) {
    prefetch_items(*overflow_at(buckets[i]->overflow), keys[i].hash);
  }
}

void Index::set_buckets(std::uint32_t buckets) noexcept {
  buckets_ = old_buckets_ = moved_from_ = buckets;
  const bool at_end = (buckets >> page_shift_) >= pages_max_;
  grow_above_ = at_end ? ~std::uint64_t{0} : grow_above(buckets);
  overflow_above_ = overflow_above(buckets);
}

void Index::give_page(std::uint32_t page) noexcept {
  MR_ASSERT(page_count_ < pages_max_);
  MR_ASSERT(pages_[page].use == PageUse::Index);
  std::memset(pages_.address(page), 0, pages_.page_bytes());
  directory_[page_count_] = (page - page_count_) << page_shift_;
  ++page_count_;
  if (buckets_ == 0) {
    set_buckets(1U << page_shift_);
    return;
  }
  MR_ASSERT(stage_ == Stage::Gathering);
  if (page_count_ << page_shift_ == target_buckets_) {
    buckets_ = target_buckets_;
    stage_ = Stage::Moving;
  }
}

void Index::start_growth() noexcept {
  const std::uint32_t pages = std::min(pages_max_, page_count_ + std::max(1U, page_count_ / 4));
  target_buckets_ = pages << page_shift_;
  stage_ = Stage::Gathering;
}

void Index::step_growth() noexcept {
  if (stage_ != Stage::Moving) {
    return;
  }
  const std::uint32_t number = moved_from_ - 1;
  move_bucket(number);
  if (moved_from_ == 0) {
    stage_ = Stage::Idle;
    set_buckets(buckets_);
    return;
  }
  // The next call's lines: by then they are here.
  prefetch_chain_items(moved_from_ - 1);
  if (moved_from_ >= 2) {
    prefetch(&bucket_at(moved_from_ - 2));
  }
}

void Index::prefetch_chain_items(std::uint32_t number) const noexcept {
  const Bucket& bucket = bucket_at(number);
  for (const ItemRef ref : bucket.refs) {
    prefetch(pages_.at(ref));  // an empty lane asks for the arena's first line: harmless
  }
  if (bucket.overflow != ItemRef{}) {
    prefetch(pages_.at(bucket.overflow));
  }
}

/// Takes one old bucket apart and puts its entries where the new count wants them. Does nothing when overflow buckets
/// might run out on the way: both counts stay valid as long as it takes.
void Index::move_bucket(std::uint32_t number) noexcept {
  std::uint32_t chain = 0;
  for (ItemRef ref = bucket_at(number).overflow; ref != ItemRef{}; ref = overflow_at(ref)->overflow) {
    ++chain;
  }
  // Its entries go to at most three chains that may be full: three buckets more than it gives up, and one on the way.
  const std::uint64_t within_reach = slabs_[kOverflowClass].free() + (std::uint64_t{pages_.available()} << page_shift_);
  if (within_reach < chain + 4) {
    return;
  }
  Bucket taken = bucket_at(number);
  bucket_at(number) = Bucket{};
  moved_from_ = number;
  ++epoch_;
  while (true) {
    for (std::uint32_t lane = 0; lane < kBucketLanes; ++lane) {
      if (taken.tags[lane] != kEmptyTag) {
        --count_;
        const bool placed = insert(hash_of(taken.refs[lane]), taken.refs[lane]);
        MR_ASSERT(placed);
      }
    }
    if (taken.overflow == ItemRef{}) {
      return;
    }
    const ItemRef spent = taken.overflow;
    taken = *overflow_at(spent);
    slabs_.free(spent);
    --overflow_buckets_;
  }
}

IndexSlot Index::find_ref(KeyHash hash, ItemRef ref) const noexcept {
  const std::uint8_t tag = tag_of(hash);
  Bucket* bucket = &bucket_at(home(hash));
  while (true) {
    for (std::uint32_t mask = match(*bucket, tag); mask != 0; mask &= mask - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
      if (bucket->refs[lane] == ref) {
        return {bucket, lane};
      }
    }
    if (bucket->overflow == ItemRef{}) {
      return {};
    }
    bucket = overflow_at(bucket->overflow);
  }
}

bool Index::insert(KeyHash hash, ItemRef ref) noexcept {
  Bucket* bucket = &bucket_at(home(hash));
  while (bucket->overflow != ItemRef{}) {
    bucket = overflow_at(bucket->overflow);
  }
  const std::uint32_t empty = match(*bucket, kEmptyTag);
  auto lane = static_cast<std::uint32_t>(std::countr_zero(empty));
  if (MR_UNLIKELY(empty == 0)) {
    ItemRef more = slabs_.allocate(kOverflowClass);
    if (more == ItemRef{}) {
      if (!slabs_.add_page(kOverflowClass)) {
        return false;
      }
      more = slabs_.allocate(kOverflowClass);
    }
    ++overflow_buckets_;
    bucket->overflow = more;
    bucket = overflow_at(more);
    *bucket = Bucket{};
    lane = 0;
  }
  bucket->tags[lane] = tag_of(hash);
  bucket->refs[lane] = ref;
  ++count_;
  return true;
}

void Index::erase(KeyHash hash, IndexSlot slot) noexcept {
  Bucket* before = nullptr;
  Bucket* last = &bucket_at(home(hash));
  while (last->overflow != ItemRef{}) {
    before = last;
    last = overflow_at(last->overflow);
  }
  std::uint32_t used = ~match(*last, kEmptyTag) & kLaneMask;
  MR_ASSERT(used != 0);
  const auto from = static_cast<std::uint32_t>(std::bit_width(used)) - 1;
  slot.bucket->tags[slot.lane] = last->tags[from];
  slot.bucket->refs[slot.lane] = last->refs[from];
  last->tags[from] = kEmptyTag;
  last->refs[from] = ItemRef{};
  used &= ~(1U << from);
  if (used == 0 && before != nullptr) {
    slabs_.free(before->overflow);
    --overflow_buckets_;
    before->overflow = ItemRef{};
  }
  --count_;
  ++epoch_;
}

void Index::check_chain(std::uint32_t number, std::uint64_t& entries, std::uint64_t& overflow) const {
  const Bucket* bucket = &bucket_at(number);
  while (true) {
    const std::uint32_t used = ~match(*bucket, kEmptyTag) & kLaneMask;
    MR_ASSERT((used & (used + 1)) == 0);
    MR_ASSERT(bucket->overflow == ItemRef{} || used == kLaneMask);
    for (std::uint32_t lane = 0; lane < kBucketLanes; ++lane) {
      const ItemRef ref = bucket->refs[lane];
      MR_ASSERT((ref == ItemRef{}) == ((used >> lane & 1) == 0));
      if (ref != ItemRef{}) {
        MR_ASSERT(item_at(ref)->kind() == Kind::Item);
        MR_ASSERT(home(hash_of(ref)) == number);
        MR_ASSERT(tag_of(hash_of(ref)) == bucket->tags[lane]);
        ++entries;
      }
    }
    if (bucket->overflow == ItemRef{}) {
      return;
    }
    bucket = overflow_at(bucket->overflow);
    MR_ASSERT(bucket->tags[0] != kEmptyTag);
    ++overflow;
  }
}

void Index::check() const {
  for (std::uint32_t n = 0; n < page_count_; ++n) {
    MR_ASSERT(pages_[(directory_[n] + (n << page_shift_)) >> page_shift_].use == PageUse::Index);
  }
  std::uint64_t entries = 0;
  std::uint64_t overflow = 0;
  for (std::uint32_t number = 0; number < buckets_; ++number) {
    check_chain(number, entries, overflow);
  }
  MR_ASSERT(entries == count_);
  MR_ASSERT(overflow == overflow_buckets());
  MR_ASSERT(moved_from_ <= old_buckets_ && old_buckets_ <= buckets_);
  MR_ASSERT((stage_ == Stage::Moving) == (buckets_ != old_buckets_));
}

}  // namespace millrace::store
