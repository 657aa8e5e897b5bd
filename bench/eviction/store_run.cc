#include "bench/eviction/store_run.h"

#include <sys/mman.h>

#include <array>

#include "bench/load/prng.h"

namespace millrace::eviction {
namespace {

constexpr std::uint64_t kHashSeed = 0x5eed;
constexpr store::Seconds kNow = 1;
constexpr std::uint64_t kStepsWanted = 64;
constexpr std::uint32_t kChunksPerStepMax = 256;

/// "k" and sixteen digits that tell nothing of the number's order.
std::array<char, kKeyBytes> key_text(std::uint32_t number) {
  std::array<char, kKeyBytes> text;
  text[0] = 'k';
  std::uint64_t bits = load::mix64(number);
  for (std::size_t at = 1; at < text.size(); ++at, bits >>= 4) {
    text[at] = "0123456789abcdef"[bits & 15];
  }
  return text;
}

}  // namespace

void UnmapArena::operator()(std::byte* arena) const { munmap(arena, bytes); }

Result<StoreRun> StoreRun::create(std::uint64_t arena_bytes, store::PartitionOptions options) {
  void* memory = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return fail("no memory for the arena");
  }
  StoreRun run;
  run.arena_ = {static_cast<std::byte*>(memory), UnmapArena{arena_bytes}};
  options.arena = {run.arena_.get(), arena_bytes};
  options.hash_seed = kHashSeed;
  auto made = store::Partition::create(options);
  if (!made) {
    return fail(made.error().what);
  }
  run.partition_ = std::move(*made);
  return run;
}

bool StoreRun::replay(std::uint32_t key, std::uint32_t value_bytes, std::uint32_t ttl_s, bool is_set) {
  const std::array<char, kKeyBytes> text = key_text(key);
  const std::string_view bytes{text.data(), text.size()};
  const store::Key k{bytes, hash_key(bytes, kHashSeed)};
  if (!is_set && partition_->get(k, kNow) != nullptr) {
    return true;
  }
  if (value_.size() < value_bytes) {
    value_.resize(value_bytes, 'v');
  }
  const store::StoreArgs args{.expires_at = ttl_s != 0 ? kNow + ttl_s : store::kNever};
  const store::Outcome outcome = partition_->store(k, {value_.data(), value_bytes}, args, kNow).outcome;
  refused_ += outcome != store::Outcome::Stored ? 1 : 0;
  return is_set;
}

Result<UnsizedShape> unsized_shape(std::uint64_t items) {
  auto scratch = StoreRun::create(store::kArenaBytesMin, {.page_bytes = kArenaStepBytes});
  if (!scratch) {
    return fail(scratch.error().what);
  }
  UnsizedShape shape;
  std::uint64_t chunks_per_step = 0;
  for (std::uint32_t id = 1; id <= scratch->partition().classes(); ++id) {
    const store::ClassStats stats = scratch->partition().class_stats(id, kNow);
    // The largest number of chunks a step that still makes enough steps.
    if (stats.chunks_per_page <= kChunksPerStepMax && stats.chunk_size < kArenaStepBytes &&
        (shape.value_bytes == 0 || stats.chunks_per_page * kStepsWanted >= items)) {
      chunks_per_step = stats.chunks_per_page;
      shape.value_bytes = stats.chunk_size - store::kItemHeaderBytes - kKeyBytes;
    }
  }
  const std::uint64_t item_steps = (items + chunks_per_step - 1) / chunks_per_step;
  for (shape.arena_bytes = (item_steps + 1) * kArenaStepBytes;; shape.arena_bytes += kArenaStepBytes) {
    auto filled =
        StoreRun::create(shape.arena_bytes, {.page_bytes = kArenaStepBytes, .policy = EvictionPolicy::Clock2});
    if (!filled) {
      return fail(filled.error().what);
    }
    store::Partition& partition = filled->partition();
    for (std::uint32_t key = 0; partition.counters().evictions == 0; ++key) {
      shape.items = partition.counters().curr_items;
      filled->replay(key, shape.value_bytes, 0, true);
    }
    if (shape.items >= items) {
      return shape;
    }
  }
}

}  // namespace millrace::eviction
