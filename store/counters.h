// What a partition counts about itself, under memcached's names where memcached has one. Plain numbers.
// Thread: the owner writes; others may read them racily for display. Ownership: the partition, or a copy.
#pragma once

#include <cstdint>

namespace millrace::store {

/// Totals of a partition; the names are those of memcached's `stats`. Levels (curr_items, bytes, payload_bytes,
/// large_items, large_bytes, pins, reservations) go up and down, the rest only up.
struct PartitionCounters {
  std::uint64_t cmd_get = 0;
  std::uint64_t cmd_set = 0;  ///< storing commands that found memory, whether or not they then stored
  std::uint64_t cmd_touch = 0;
  std::uint64_t get_hits = 0;
  std::uint64_t get_misses = 0;
  std::uint64_t get_expired = 0;  ///< asked for by any command, but its time had come
  std::uint64_t get_flushed = 0;  ///< asked for by any command, but flushed
  std::uint64_t delete_hits = 0;
  std::uint64_t delete_misses = 0;
  std::uint64_t incr_hits = 0;
  std::uint64_t incr_misses = 0;
  std::uint64_t decr_hits = 0;
  std::uint64_t decr_misses = 0;
  std::uint64_t cas_hits = 0;
  std::uint64_t cas_misses = 0;
  std::uint64_t cas_badval = 0;
  std::uint64_t touch_hits = 0;
  std::uint64_t touch_misses = 0;
  std::uint64_t store_too_large = 0;
  std::uint64_t store_no_memory = 0;

  std::uint64_t curr_items = 0;
  std::uint64_t total_items = 0;
  std::uint64_t bytes = 0;          ///< header, key and value of the items in the index
  std::uint64_t payload_bytes = 0;  ///< of these, key and value
  std::uint64_t evictions = 0;
  std::uint64_t reclaimed = 0;              ///< dead items the hand met while it looked for memory
  std::uint64_t crawler_reclaimed = 0;      ///< dead items housekeeping took out
  std::uint64_t crawler_items_checked = 0;  ///< slots it looked at for that
  std::uint64_t expired_unfetched = 0;
  std::uint64_t evicted_unfetched = 0;
  std::uint64_t ghost_hits = 0;       ///< new items whose key had been evicted not long before
  std::uint64_t rescued = 0;          ///< items that a page on its way to another class left behind in their own
  std::uint64_t large_evictions = 0;  ///< of values of several chunks, because those held their share or more
  std::uint64_t slots_looked =
      0;  ///< by hands, in pages that were emptied, and pieces given back: what making room costs
  std::uint64_t pages_stolen = 0;  ///< emptied to serve another class, the index, or a lower limit

  std::uint64_t large_items = 0;    ///< values of several chunks in the index
  std::uint64_t large_bytes = 0;    ///< their chunks, and those of values that are still arriving or lent
  std::uint64_t large_leaving = 0;  ///< values whose memory is being given back
  std::uint64_t pins = 0;           ///< pins outstanding now
  std::uint64_t reservations = 0;   ///< reservations outstanding now
};

/// One size class; names of memcached's `stats slabs` and `stats items`. A chained item counts where its first chunk
/// is.
struct ClassStats {
  std::uint32_t chunk_size = 0;
  std::uint32_t chunks_per_page = 0;
  std::uint64_t total_pages = 0;
  std::uint64_t total_chunks = 0;
  std::uint64_t used_chunks = 0;
  std::uint64_t free_chunks = 0;
  std::uint64_t mem_requested = 0;
  std::uint64_t number = 0;
  std::uint64_t age = 0;  ///< seconds since the last change, of the oldest of those that are next to be asked to go
  std::uint64_t evicted_time = 0;  ///< the same of the item evicted last, when it went
  std::uint64_t evicted = 0;
  std::uint64_t evicted_nonzero = 0;  ///< of these, how many had an expiry set
  std::uint64_t evicted_unfetched = 0;
  std::uint64_t expired_unfetched = 0;
  std::uint64_t outofmemory = 0;
  std::uint64_t reclaimed = 0;
  std::uint64_t crawler_reclaimed = 0;
  std::uint64_t get_hits = 0;
  std::uint64_t cmd_set = 0;
  std::uint64_t delete_hits = 0;
  std::uint64_t incr_hits = 0;
  std::uint64_t decr_hits = 0;
  std::uint64_t cas_hits = 0;
  std::uint64_t cas_badval = 0;
  std::uint64_t touch_hits = 0;
};

/// Where the pages are.
struct MemoryStats {
  std::uint64_t page_bytes = 0;
  std::uint64_t pages_arena = 0;
  std::uint64_t pages_limit = 0;
  std::uint64_t pages_free = 0;        ///< that the limit still allows to be used
  std::uint64_t pages_given_back = 0;  ///< whose memory is with the arena's owner, while the limit is lower
  std::uint64_t pages_items = 0;
  std::uint64_t pages_index = 0;
  std::uint64_t pages_overflow = 0;  ///< of class 0: overflow buckets, and segments of probation queues
  std::uint64_t pages_ghost = 0;
  std::uint64_t large_bytes_max = 0;  ///< the share of large values
  std::uint64_t index_buckets = 0;
  std::uint64_t index_overflow_buckets = 0;
  bool index_is_growing = false;
  std::uint64_t table_bytes = 0;  ///< outside the arena: page records, class table, index directory, pins
};

}  // namespace millrace::store
