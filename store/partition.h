// One core's share of the cache: an index and slab-allocated items in one reserved, NUMA-local arena.
//
// Thread: one owner; no call is thread-safe, nothing is locked. Time and randomness are arguments.
// Ownership: the arena is given and outlives the partition. An Item* that find() or peek() returned stays valid until
// the next call that can store, delete, evict or move; whoever needs it longer pins it. A pinned item that is replaced,
// deleted or evicted keeps its memory until the last unpin, but is found no more.
// Invariants: store/README.md, numbered; check() asserts them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/eviction_policy.h"
#include "base/key_hash.h"
#include "base/result.h"
#include "store/change_times.h"
#include "store/counters.h"
#include "store/ghost.h"
#include "store/index.h"
#include "store/item.h"
#include "store/large_values.h"
#include "store/page_mover.h"
#include "store/page_pool.h"
#include "store/pin.h"
#include "store/policy_records.h"
#include "store/probation_queue.h"
#include "store/requests.h"
#include "store/slab_allocator.h"
#include "store/slab_class.h"
#include "store/types.h"

namespace millrace::store {

struct PartitionOptions {
  std::span<std::byte> arena{};                  ///< page aligned, already bound and faulted in; not owned
  ArenaOwner* arena_owner = nullptr;             ///< gets memory back that a lower limit leaves unused; null: it stays
  std::uint64_t bytes_at_start = 0;              ///< the limit at first, if the arena is larger; then it has an owner
  std::uint32_t item_bytes_max = 1024 * 1024;    ///< -I: header, key and value together
  std::uint32_t chunk_bytes_min = 48;            ///< -n
  std::optional<double> growth_factor{};         ///< -f; unset: 1.10, or 1.25 where pages are small
  std::span<const std::uint32_t> chunk_sizes{};  ///< instead of both, up to the last
  std::uint32_t page_bytes = 0;                  ///< a power of two (limits.h); 0: what suits the arena
  bool evicts = true;                            ///< -M turns it off
  EvictionPolicy policy = EvictionPolicy::Clock;
  std::uint32_t large_value_share = 50;  ///< percent of the limit that values of several chunks may take from others
  std::uint64_t hash_seed = 0;           ///< of every KeyHash given: the store hashes keys again when it moves
  Cas cas_start = 0;                     ///< the first change gets the next number
};

/// Memory promised to a value that is still arriving. The holder writes the bytes, then commits or aborts; exactly
/// once. Value memory is a list of spans, walked with Partition::reserved_span. That of a large value is found in
/// steps: until it is whole, it is only carried on or aborted.
struct Reservation {
  ItemRef ref{};
  std::uint32_t value_bytes = 0;
  ItemRef last{};                   ///< the chunk that the next one goes behind
  std::uint64_t missing_bytes = 0;  ///< to be found by continue_reserve()
  [[nodiscard]] bool is_valid() const noexcept { return ref != ItemRef{}; }
  [[nodiscard]] bool is_whole() const noexcept { return missing_bytes == 0; }
};

/// A walk over a value's pieces: as cheap as the pieces are many, where value_span() starts anew each time.
struct ValueCursor {
  ItemRef piece{};       ///< where the next piece lies; none: the item itself
  std::uint32_t at = 0;  ///< its offset in the value
};

/// How far a walk over all items has come. Good however much the partition changes between two slices.
struct WalkCursor {
  std::uint32_t page = 0;
  std::uint32_t unit = 0;
};
/// Of walk() and crawl(): bit n for class n.
inline constexpr std::uint64_t kAllClasses = ~std::uint64_t{0};

class Partition {
 public:
  static Result<std::unique_ptr<Partition>> create(const PartitionOptions& options);
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  /// Before a batch of look-ups: asks for what they will read. Only a hint. At most kPrefetchMax.
  void prefetch_all(std::span<const Key> keys) const noexcept { index_.prefetch_all(keys); }

  // --- partition_get.cc
  /// A live item, its reference bits bumped and counted as a get (hit, miss, expired, flushed); null on a miss.
  const Item* get(const Key& key, Seconds now) noexcept;
  /// An item that was asked for, and what a reply needs of it.
  struct Got {
    const Item* item = nullptr;   ///< null on a miss
    const char* value = nullptr;  ///< null when it does not lie in one piece, too
    std::uint32_t value_bytes = 0;
    std::uint32_t client_flags = 0;
  };
  /// A get of each of these, in order. All of `out` stays until something is stored or deleted, or another get finds
  /// something dead.
  void get_all(std::span<const Key> keys, Seconds now, std::span<Got> out) noexcept;
  /// Get and touch (partition_touch.cc), counted as touch. With an expiry that has passed the item is handed out once
  /// more.
  const Item* get_and_touch(const Key& key, Seconds expires_at, Seconds now) noexcept;
  /// A live item without bump and without count; null on a miss.
  const Item* peek(const Key& key, Seconds now) noexcept;
  /// The value's bytes from `offset` on, as far as they lie together; empty at the end. Most values are one span.
  [[nodiscard]] std::span<const char> value_span(const Item* item, std::uint32_t offset) const noexcept {
    if (MR_LIKELY(!item->is_chained())) {
      const std::uint32_t bytes = item->value_bytes();
      return offset < bytes ? std::span{item->value() + offset, bytes - offset} : std::span<const char>{};
    }
    return chained_span(*item, offset);
  }
  /// The piece at the cursor, which moves past it; empty at the end. Start with a ValueCursor{}.
  [[nodiscard]] std::span<const char> value_next(const Item* item, ValueCursor& cursor) const noexcept;

  // --- pin.h
  /// Lends an item to a reply; what it returns names it in unpin(), after however many other calls. None (ItemRef{})
  /// when kPinsMax items are lent already.
  ItemRef pin(const Item* item) noexcept;
  void unpin(ItemRef ref) noexcept;

  // --- partition_store.cc
  StoreReply store(const Key& key, std::string_view value, const StoreArgs& args, Seconds now) noexcept;
  /// Memory for a value of `value_bytes` that has yet to arrive. On TooLarge and OutOfMemory the old value of the key
  /// is deleted, as memcached does (for Set alone), so that no stale one is served. Stored means: reserved, though
  /// perhaps not whole yet. Neither findable nor evictable until commit.
  Outcome reserve(const Key& key, std::uint32_t value_bytes, Seconds now, Reservation& out,
                  StoreMode mode = StoreMode::Set, bool with_given_cas = false) noexcept;
  /// Another step for a reservation that is not whole, with what reserve() was given. Anything but Stored: no memory,
  /// and the reservation is used up.
  Outcome continue_reserve(Reservation& reservation, KeyHash hash, StoreMode mode, Seconds now) noexcept;
  /// Writable bytes of the value from `offset` on, as far as they lie together. Remembers the piece: a walk with rising
  /// offsets costs one step a piece.
  [[nodiscard]] std::span<char> reserved_span(const Reservation& reservation, std::uint32_t offset) noexcept;
  /// Makes the filled reservation the key's value, under `args`; the reservation is used up whatever the outcome.
  StoreReply commit(const Reservation& reservation, KeyHash hash, const StoreArgs& args, Seconds now) noexcept;
  void abort(const Reservation& reservation) noexcept;

  // --- partition_arith.cc, partition_delete.cc, partition_touch.cc, partition_flush.cc
  /// incr (delta added, wraps at 2^64) or decr (floor 0, old length kept with trailing spaces).
  ArithReply arith(const Key& key, std::uint64_t delta, bool is_decrement, Seconds now) noexcept;
  Outcome remove(const Key& key, Seconds now) noexcept;
  Outcome touch(const Key& key, Seconds expires_at, Seconds now) noexcept;
  /// Everything stored before `at` is gone from then on; at <= now means at once, and then what is stored later in the
  /// same second stays. The last call counts: it replaces one that is still to come.
  void flush(Seconds at, Seconds now) noexcept;

  // --- partition_meta.cc: what only the meta commands ask for
  /// A live item, neither bumped nor counted (but what is found dead is); null on a miss.
  const Item* find(const Key& key, Seconds now) noexcept;
  /// An empty value under a key that has none, for whoever is to fill it. Null: no memory.
  const Item* vivify(const Key& key, const std::optional<Cas>& given_cas, Seconds now) noexcept;
  /// Carries out a change of what find(), vivify() or a meta command has just left under `key`. Null: it is gone.
  const Item* change(const Key& key, const MetaChange& change, Seconds now) noexcept;
  /// Seconds since an item's last change, or a little more for an old one. When it was last read nobody keeps.
  [[nodiscard]] Seconds age(const Item& item, Seconds now) const noexcept {
    return now - std::min(now, change_times_.at(item.change()));
  }
  /// Counts a get that was made of these, as memcached does: with a touch as touch, a miss always as a get.
  void count_get(const Item* item, bool is_touch) noexcept;
  StoreReply store(const Key& key, std::string_view value, const StoreArgs& args, const MetaStoreArgs& meta,
                   Seconds now) noexcept;
  StoreReply commit(const Reservation& reservation, KeyHash hash, const StoreArgs& args, const MetaStoreArgs& meta,
                    Seconds now) noexcept;
  Outcome remove(const Key& key, const MetaDeleteArgs& args, Seconds now) noexcept;
  /// `created`: the key had no value.
  ArithReply arith(const Key& key, const MetaArithArgs& args, Seconds now, bool& created) noexcept;

  // --- housekeeping
  /// A bounded slice of work that nobody waits for: gives back pages over the limit, takes expired and flushed items
  /// out. Returns how many items (or records of pages) it looked at.
  std::uint32_t housekeep(Seconds now, std::uint32_t items_max) noexcept;
  /// The last slice left something to do.
  [[nodiscard]] bool has_upkeep() const noexcept { return has_upkeep_; }
  /// Changes how much of the arena may be used (cache_memlimit). False when it is more than the arena or less than one
  /// page for each class in use and what the index holds (which never shrinks); shrinking is carried out by
  /// housekeep().
  bool set_limit(std::uint64_t bytes) noexcept;

  // --- inspection: owner only, cold except counters()
  [[nodiscard]] const PartitionCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] PartitionCounters& counters() noexcept { return counters_; }
  [[nodiscard]] std::uint64_t limit_bytes() const noexcept {
    return std::uint64_t{pages_.limit()} << pages_.page_shift();
  }
  [[nodiscard]] double growth_factor() const noexcept { return growth_factor_; }     ///< the one in effect
  [[nodiscard]] std::uint32_t classes() const noexcept { return sizes_.classes(); }  ///< ids are 1 .. classes()
  [[nodiscard]] ClassStats class_stats(std::uint32_t id, Seconds now) const noexcept;
  [[nodiscard]] MemoryStats memory_stats() const noexcept;
  /// Walks at most `items_max` live items of a class (0: all); false from `visit` ends it. For cachedump and sizes.
  void visit_class(std::uint32_t id, std::uint32_t items_max, Seconds now, ItemVisitor& visit) const;
  /// The id that `stats items` knows an item's class by.
  [[nodiscard]] std::uint32_t class_id_of(const Item& item) const noexcept { return class_of(item); }

  // --- partition_walk.cc: administrators' slices. Each looks at `slots_max` slots and says whether there is more
  /// The live items of `classes`; false from `visit` ends the slice behind that item.
  bool walk(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Seconds now, ItemVisitor& visit) const;
  /// Takes the dead items of `classes` out.
  bool crawl(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Seconds now) noexcept;
  /// Empties a page of class `from` (0: whichever has most), whose items are evicted, and gives it to class `to` (0: to
  /// whoever wants one). False: `from` has no page to spare, or only pages that somebody holds on to.
  bool move_page(std::uint32_t from, std::uint32_t to, Seconds now) noexcept;
  /// Whether housekeep() looks for dead items nobody asks for (lru_crawler enable, disable), and whether pages go from
  /// class to class by themselves (slabs automove).
  void set_crawls(bool on) noexcept { crawls_ = on; }
  void set_rebalances(bool on) noexcept { rebalances_ = on; }
  /// Told of each live item that is evicted, just before; null: nobody. Not owned.
  void watch_evictions(ItemVisitor* watcher) noexcept { eviction_watcher_ = watcher; }

  /// Asserts the numbered invariants over everything. Tests only: walks the whole arena.
  void check() const;

 private:
  /// What is known of classes while one item takes its chunks.
  struct Drought {
    std::uint64_t dry_classes = 0;  ///< bit per class where nothing could be evicted
    bool in_steps = false;          ///< no page is emptied at once for it
    bool waits = false;             ///< the page that it needs is being emptied
  };
  struct Verdict {
    Outcome outcome = Outcome::Stored;
    IndexSlot old{};
  };
  /// Where the sweep over a class's due pages has got to.
  struct DueSweep {
    std::uint32_t page = kNoPage;
    std::uint32_t unit = 0;
    std::uint32_t taken = 0;  ///< items taken out of this page
  };
  /// Where filling a value has got to: a piece, and how much of it is written.
  struct FillCursor {
    ValueCursor piece;
    std::uint32_t used = 0;
  };
  static constexpr Seconds kNoFlush = 0xffff'ffff;

  Partition(const PartitionOptions& options, const SizeTable& sizes, double growth_factor, std::uint32_t page_bytes);

  [[nodiscard]] Item* item_at(ItemRef ref) const noexcept { return reinterpret_cast<Item*>(pages_.at(ref)); }
  [[nodiscard]] Continuation* continuation_at(ItemRef ref) const noexcept {
    return reinterpret_cast<Continuation*>(pages_.at(ref));
  }
  /// Of an Item, or of its Head.
  template <typename Of>
  [[nodiscard]] bool is_dead(const Of& item, Seconds now) const noexcept {
    return has_expired(item.expires_at(), now) || item.change() <= flushed_cas_;
  }
  /// The class an item's first chunk belongs to, without a look at the page table where its size tells.
  [[nodiscard]] std::uint32_t class_of(const Item& item) const noexcept { return class_of(item, item.item_bytes()); }
  [[nodiscard]] std::uint32_t class_of(const Item& item, std::uint64_t item_bytes) const noexcept {
    return MR_LIKELY(!item.is_chained()) ? sizes_.smallest(item_bytes) : slabs_.class_of(pages_.ref_of(&item));
  }
  [[nodiscard]] bool is_item_page(std::uint32_t page) const noexcept {
    return pages_[page].use == PageUse::Slab && pages_[page].class_id != kOverflowClass;
  }
  [[nodiscard]] bool is_pinned(const Item& item) const noexcept { return pins_.contains(pages_.ref_of(&item)); }
  void advance(Seconds now) noexcept {
    if (MR_UNLIKELY(now >= next_second_)) {
      begin_second(now);
    }
  }
  [[nodiscard]] Cas next_cas() noexcept { return ++cas_; }

  // partition_init.cc
  void make_ghost();
  void make_records();

  // partition_get.cc
  /// The entry of a live item; a dead one is counted and taken out.
  IndexSlot find_live(const Key& key, Seconds now) noexcept;
  IndexSlot drop_dead(const Key& key, IndexSlot slot, Seconds now) noexcept;

  // partition_value.cc: the pieces of a value
  [[nodiscard]] std::span<const char> chained_span(const Item& item, std::uint32_t offset) const noexcept;
  [[nodiscard]] std::span<char> piece_at(const Item& item, const ValueCursor& cursor) const noexcept;
  void step_past(const Item& item, ValueCursor& cursor, std::size_t piece_bytes) const noexcept;
  void fill(Item& item, FillCursor& cursor, std::string_view bytes) noexcept;
  void fill(Item& item, FillCursor& cursor, const Item& from) noexcept;

  // partition_store.cc
  Verdict judge(const Key& key, const StoreArgs& args, Seconds now) noexcept;
  StoreReply overwrite(Item& item, const Key& key, std::string_view value, const StoreArgs& args) noexcept;
  /// Puts a filled held item in the place of `old` or of nothing. False, and the item freed, when the index has no
  /// room.
  bool link(KeyHash hash, Item& item, IndexSlot old, Seconds now) noexcept;
  /// A filled held item takes the place of the one that `slot` names.
  void supersede(IndexSlot slot, Item& item) noexcept;
  StoreReply finish(KeyHash hash, Item& item, IndexSlot old, std::uint32_t flags, Seconds expires_at,
                    Seconds now) noexcept;
  Outcome refuse(const Key& key, Outcome why, StoreMode mode) noexcept;
  Outcome settle_reserved(const Reservation& reservation) noexcept;

  // partition_touch.cc
  Item* give_time(const Key& key, IndexSlot slot, Seconds now) noexcept;
  Item* expire_at(const Key& key, IndexSlot slot, Seconds expires_at, Seconds now) noexcept;

  // partition_concat.cc: append and prepend; `from` or else `bytes` is what is added
  StoreReply concat(const Key& key, IndexSlot old, std::string_view bytes, const Item* from, bool at_end,
                    Seconds now) noexcept;
  void concat_in_place(Item& item, std::string_view bytes, bool at_end) noexcept;

  // partition_memory.cc: items' memory
  /// A held item with its key in place, for a value to be filled in; null when no memory can be found.
  Item* allocate(const ItemShape& shape, std::string_view key, Seconds now) noexcept;
  /// The same, for what is to replace `old`, which stays where it is meanwhile.
  Item* allocate_beside(Item& old, const ItemShape& shape, std::string_view key, Seconds now) noexcept;
  /// The first chunk of an item, and how much more it takes. Not valid when there is no memory.
  Reservation begin_item(const ItemShape& shape, std::string_view key, Seconds now, Drought& drought) noexcept;
  /// Chunks for what is missing: all of them, or as many as one step may take. False: no memory.
  bool gather(Reservation& item, bool in_steps, Seconds now, Drought& drought) noexcept;
  ItemRef take_chunk(std::uint32_t id, Seconds now, Drought& drought, bool for_large = false) noexcept;
  /// The chunk is one more of a large value's.
  ItemRef take_large_chunk(std::uint32_t id, Seconds now, Drought& drought) noexcept;
  /// Gives an item's chunks back.
  void release(Item& item) noexcept;
  /// Takes an item's numbers out of the levels.
  void uncount(const Item& item) noexcept;
  void count(const Item& item) noexcept { count(item, class_of(item)); }
  void count(const Item& item, std::uint32_t id) noexcept;
  /// Out of the index; its memory stays as long as a pin holds it.
  void unlink(KeyHash hash, IndexSlot slot) noexcept;
  void let_go(Item& item) noexcept;

  // partition_expire.cc: pages whose items' time has come
  /// An item's expiry, which must have room for one. Its page is swept when the second has come.
  void set_expiry(Item& item, Seconds at) noexcept {
    if (item.has_time()) {
      item.set_expires_at(at);
    }
    if (at != kNever) {
      MR_ASSERT(item.has_time());
      pages_.wheel().note(pages_.page_of(pages_.ref_of(&item)), at);
    }
  }
  /// Frees a chunk of the class by taking an item out whose time has come. False: none is known of.
  bool take_expired(std::uint32_t id, Seconds now) noexcept;
  std::uint32_t sweep_due(Seconds now, std::uint32_t slots_max) noexcept;
  std::uint32_t sweep_class(std::uint32_t id, Seconds now, std::uint32_t slots_max, bool for_one) noexcept;
  void end_sweep(std::uint32_t page, std::uint32_t taken, Seconds now) noexcept;
  /// A dead item that was found without being asked for goes; `for_one`: because somebody needs its memory.
  void reap(Item& item, bool for_one = false) noexcept;

  // partition_evict.cc: whose memory to take
  bool evict_from(std::uint32_t id, Seconds now, bool only_dead, std::uint64_t looks_max = ~std::uint64_t{0}) noexcept;
  /// What has to be seen to after a class evicted: its pace, and the page mover's.
  void note_eviction(std::uint32_t id) noexcept;
  /// The hand meets a chunk. True when that freed it.
  bool meet(std::byte* chunk, std::uint32_t id, Seconds now, bool only_dead, bool forced) noexcept;
  static bool has_lost_its_place(Item& item, Kind kind) noexcept;
  [[nodiscard]] bool ages_here(const Continuation& piece, const Item& head, std::uint32_t id) const noexcept;
  void evict(Item& item, Seconds now) noexcept;

  // partition_large.cc: values of several chunks, and their share
  void release_large(Item& item) noexcept;
  bool release_pieces(Item& item, std::uint32_t pieces_max) noexcept;
  bool release_step(std::uint32_t pieces_max) noexcept;
  void set_large_bytes_max() noexcept;
  [[nodiscard]] std::uint64_t large_bytes_reachable() const noexcept;
  [[nodiscard]] bool is_beyond_large_share(std::uint64_t more_bytes) const noexcept {
    return counters_.large_bytes + more_bytes > large_bytes_max_;
  }
  bool take_from_large(std::uint32_t round, bool for_large, Seconds now) noexcept;
  bool evict_large(Seconds now) noexcept;
  bool empty_large_page(Seconds now) noexcept;
  void enter_large(Item& item) noexcept {
    large_values_.enter(item, pages_);
    ++counters_.large_items;
  }
  void leave_large(const Item& item) noexcept {
    large_values_.leave(item, pages_);
    --counters_.large_items;
  }

  // partition_probation.cc: what CLOCK has in front of it
  /// A new item takes its place: in probation, or beyond it when its key was here not long ago.
  void admit(KeyHash hash, Item& item, ItemRef ref, std::uint32_t id) noexcept;
  /// Another item for a key that is there.
  void succeed(Item& item, const Item& former) noexcept;
  void put_in_probation(Item& item, ItemRef ref, std::uint32_t id) noexcept;
  void put_in_new_segment(Item& item, ItemRef ref, std::uint32_t id) noexcept;
  [[nodiscard]] bool is_probation_too_long(std::uint32_t id) const noexcept;
  void let_out_of_probation(std::uint32_t id) noexcept;
  bool take_oldest_in_probation(std::uint32_t id, ItemRef& ref) noexcept;
  /// Looks at the item that has been in probation longest. True when that freed its memory.
  bool end_probation(std::uint32_t id, Seconds now) noexcept;
  /// As long as its share of the slots, so that who comes to its end had its time.
  [[nodiscard]] bool is_probation_full(const SlabClass& c, std::uint32_t id) const noexcept {
    return std::uint64_t{probation_[id].size()} * kProbationShare > c.chunks();
  }

  // partition_policies.cc: lru, mru, lfu, random, ttl
  bool evict_chosen(std::uint32_t id, Seconds now) noexcept;
  Item* last_in_order(std::uint32_t id) noexcept;
  Item* best_of_window(std::uint32_t id, Seconds now) noexcept;
  void jump(SlabClass& c) noexcept;
  void record_entry(const Item& item) noexcept;
  void record_use(const Item& item) noexcept;
  void record_succession(const Item& item, const Item& former) noexcept;
  void record_leave(const Item& item) noexcept;
  /// A hit: what CLOCK counts, and what the policy that was chosen notes.
  /// A get but for its counters, except the class's.
  MR_ALWAYS_INLINE Got get_uncounted(const Key& key, Seconds now) noexcept;
  void note_hit(Item& item) noexcept {
    item.bump();
    if (MR_UNLIKELY(keeps_records_)) {
      record_use(item);
    }
  }
  /// 32 bits that look random (G. Marsaglia, "Xorshift RNGs", 2003).
  std::uint32_t draw() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    return random_;
  }

  // partition_pages.cc: whose page to take
  /// Empties some page into the pool.
  bool steal_page(Seconds now) noexcept;
  bool steal_from(std::uint32_t id, Seconds now) noexcept;
  [[nodiscard]] bool can_empty(std::uint32_t page) const noexcept;
  void foresee(std::uint32_t page, std::uint32_t unit, std::uint32_t units) const noexcept;
  void empty(std::uint32_t page, bool rescues, Seconds now) noexcept;
  void rebalance(std::uint32_t hungry, Seconds now) noexcept;
  void start_moving_page() noexcept;
  /// Not when its last chunk has gone: to empty a page takes many stores.
  [[nodiscard]] bool wants_next_page() const noexcept {
    return filling_ != 0 && slabs_[filling_].free() < slabs_[filling_].chunks_per_page;
  }
  void start_draining(std::uint32_t page, std::uint32_t to) noexcept;
  [[nodiscard]] std::uint32_t page_to_free(std::uint32_t id) const noexcept;
  bool start_freeing_page() noexcept;
  void ask_for_page() noexcept;
  bool approach_page(Seconds now, Drought& drought) noexcept;
  [[nodiscard]] bool wants_reserve() const noexcept { return pages_.available() < reserve_ && pages_.surplus() == 0; }
  void drain(std::uint32_t slots_max, Seconds now) noexcept;
  void clear_chunk(std::byte* chunk, std::uint32_t id, bool may_rescue, Seconds now) noexcept;
  bool relocate(Item& item, std::uint32_t id, Seconds now) noexcept;

  // partition_meta.cc
  /// Arguments of a storing meta command as those of a classic one, and how the new item is to be marked.
  struct MetaVerdict {
    StoreArgs args;
    bool is_stale = false;
    bool has_won = false;
  };
  MetaVerdict judge(const Key& key, const StoreArgs& args, const MetaStoreArgs& meta, Seconds now) noexcept;
  StoreReply settle(const Key& key, const StoreReply& reply, const MetaVerdict& verdict, const MetaStoreArgs& meta,
                    Seconds now) noexcept;
  /// A short value under the key, whatever was there. Null: no memory.
  Item* put(const Key& key, std::string_view value, std::uint32_t flags, Seconds expires_at,
            const std::optional<Cas>& given_cas, Seconds now) noexcept;
  /// Gives the item of `slot` a CAS number that is not its change's; it may move for it. False: no memory.
  bool give_cas(const Key& key, IndexSlot slot, Cas cas, Seconds now) noexcept;

  // partition_arith.cc
  /// The number's new text over the old value, when it fits there. False: it does not.
  bool rewrite_number(Item& item, std::string_view text) noexcept;

  // housekeeping.cc
  /// A storing command's share of the upkeep: index growth, pages for it, rebalancing. Invalidates slots and items.
  void tend(Seconds now) noexcept {
    index_.step();
    if (MR_UNLIKELY(index_.wants_page() || index_.wants_overflow() || needs_tending_ || cas_ >= kCasRenumber)) {
      tend_slowly(now);
    }
  }
  void tend_slowly(Seconds now) noexcept;
  void tend_pages(Seconds now) noexcept;
  bool find_page(Seconds now) noexcept;
  void renumber() noexcept;
  std::uint32_t crawl_page(Seconds now, std::uint32_t slots_max) noexcept;

  // partition_walk.cc
  template <typename Meet>
  bool walk_slots(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Meet&& meet) const;

  // partition_flush.cc, check.cc
  void begin_second(Seconds now) noexcept;
  void flush_now() noexcept;
  void check_items() const;
  void check_probation() const;
  [[nodiscard]] std::uint32_t pages_of_ghost() const noexcept {
    return ghost_.is_there() && !small_ghost_ ? pages_.pages() / kGhostPagesMin : 0;
  }

  [[nodiscard]] std::uint64_t age_of_next(std::uint32_t id, Seconds now) const noexcept;
  void check_large() const;

  /// Rounds in which large values make room for each other one by one; then a page of theirs is emptied.
  static constexpr std::uint32_t kLargeRoundsMax = 4;
  /// Far enough below the end that no command reaches it.
  static constexpr Cas kCasRenumber = kCasMax - 1024;

  PagePool pages_;
  SizeTable sizes_;
  SlabAllocator slabs_;
  Index index_;
  PinTable pins_;
  std::uint32_t item_bytes_max_;
  bool evicts_;
  std::uint32_t large_value_share_;
  std::uint64_t large_bytes_max_ = 0;
  LargeValues large_values_;
  ItemRef leaving_{};  ///< heads of large values that are given back, linked by newer_large()
  bool crawls_ = true;
  bool rebalances_ = true;
  std::uint64_t seed_;
  Cas cas_;
  Cas flushed_cas_ = 0;          ///< items up to this number are dead
  Seconds flush_at_ = kNoFlush;  ///< when the next flush falls due
  Seconds next_second_ = 0;      ///< when begin_second() has something to do
  ChangeTimes change_times_;
  std::uint32_t hungry_class_ = 0;
  bool needs_tending_ = false;  ///< one of: a hungry class, the mover is due or at work, somebody wants a page
  bool probation_wants_room_ = false;
  EvictionPolicy policy_;
  bool has_probation_;
  bool chooses_;                ///< a policy other than CLOCK's says who goes
  bool keeps_records_ = false;  ///< and notes hits for it
  std::uint32_t random_;
  std::unique_ptr<RecencyRecords> recency_;
  std::unique_ptr<FrequencyRecords> frequency_;
  Ghost ghost_;
  std::unique_ptr<std::uint32_t[]> small_ghost_;  ///< the ghost's words when they are less than a page
  std::array<ProbationQueue, kClassesMax + 1> probation_{};
  PageMover mover_;
  std::uint32_t reserve_ = 0;           ///< pages to be kept free for who has none
  std::uint64_t reserve_asked_at_ = 0;  ///< `total_items` when somebody last needed one
  std::uint32_t drain_to_ = 0;          ///< the class that the page being drained is for; 0: the pool
  std::uint32_t filling_ = 0;           ///< the class for which pages of a silent one are emptied in advance; 0: none
  std::uint32_t drain_unit_ = 0;        ///< where the pass over it has got to
  std::uint32_t drain_passes_ = 0;
  std::uint64_t retry_pages_at_ = 0;  ///< the index gets no page before so many items were stored
  std::uint32_t crawl_page_ = 0;
  std::uint32_t crawl_unit_ = 0;
  ItemVisitor* eviction_watcher_ = nullptr;
  std::uint32_t crawl_left_ = 0;  ///< pages not looked at since the last flush
  bool has_upkeep_ = false;
  std::uint32_t swept_class_ = 0;  ///< whose turn it was last
  std::array<DueSweep, kClassesMax + 1> due_sweeps_{};
  PartitionCounters counters_;
  std::array<ClassStats, kClassesMax + 1> class_stats_{};  ///< sizes and chunk counts are filled in when asked for
  /// Whom a class evicted last: the number of its last change, and when it went.
  struct LastEvicted {
    Cas change = 0;
    Seconds at = 0;
  };
  std::array<LastEvicted, kClassesMax + 1> last_evicted_{};
  double growth_factor_;
};

}  // namespace millrace::store
