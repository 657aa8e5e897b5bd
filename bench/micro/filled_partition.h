// A partition full of small items under numbered keys, for what is measured on one. One thread. Owns its memory.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "store/partition.h"

namespace millrace::bench {

inline constexpr std::uint64_t kHashSeed = 42;
inline constexpr std::uint32_t kValueBytes = 32;

/// `key:`, and the number in what is left of so many bytes.
struct ItemBytes {
  std::uint32_t key = 16;
  std::uint32_t value = kValueBytes;
  std::uint32_t flags = 0;
};

/// Keys are all of one length, and so are values: one size class.
class FilledPartition {
 public:
  FilledPartition(std::size_t arena_bytes, std::uint32_t items, ItemBytes bytes = {})
      : arena_bytes_(arena_bytes),
        key_("key:" + std::string(bytes.key - 4, '0')),
        value_(bytes.value, 'v'),
        flags_(bytes.flags) {
    memory_ = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) {
      std::perror("mmap");
      std::exit(1);
    }
    madvise(memory_, arena_bytes, MADV_HUGEPAGE);
    auto made =
        store::Partition::create({.arena = {static_cast<std::byte*>(memory_), arena_bytes}, .hash_seed = kHashSeed});
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().what.c_str());
      std::exit(1);
    }
    partition_ = std::move(*made);
    for (std::uint32_t n = 0; n < items; ++n) {
      set(n);
    }
  }
  FilledPartition(const FilledPartition&) = delete;
  FilledPartition& operator=(const FilledPartition&) = delete;
  ~FilledPartition() {
    partition_.reset();
    munmap(memory_, arena_bytes_);
  }

  store::Partition* operator->() { return partition_.get(); }
  store::Partition& operator*() { return *partition_; }
  /// Key number n; its bytes last until the next call.
  store::Key key(std::uint64_t n) {
    for (std::size_t at = key_.size(); at-- > 4; n /= 10) {
      key_[at] = static_cast<char>('0' + n % 10);
    }
    return {key_, hash_key(key_, kHashSeed)};
  }
  bool set(std::uint64_t n) {
    return partition_->store(key(n), value_, {.flags = flags_}, 1).outcome == store::Outcome::Stored;
  }

 private:
  std::size_t arena_bytes_;
  void* memory_;
  std::unique_ptr<store::Partition> partition_;
  std::string key_;
  const std::string value_;
  const std::uint32_t flags_;
};

}  // namespace millrace::bench
