// `stats detail`: gets, hits, sets and deletes by key prefix. Off unless an operator turns it on.
//
// Thread: one worker; the jobs that read it run there too. Ownership: owns its table, at most kPrefixesMax entries;
// prefixes beyond that are not counted, so that a client cannot fill memory with made-up prefixes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace::worker {

struct PrefixCounts {
  std::uint64_t gets = 0;
  std::uint64_t hits = 0;
  std::uint64_t sets = 0;
  std::uint64_t deletes = 0;
};

using PrefixTable = std::map<std::string, PrefixCounts, std::less<>>;

class PrefixStats {
 public:
  static constexpr std::size_t kPrefixesMax = 65536;

  PrefixStats(char delimiter, bool enabled) : delimiter_(delimiter), is_enabled_(enabled) {}

  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }
  void enable(bool on) noexcept { is_enabled_ = on; }
  void clear() noexcept { table_.clear(); }
  [[nodiscard]] const PrefixTable& table() const noexcept { return table_; }

  void count_get(std::string_view key, bool hit) noexcept {
    if (PrefixCounts* counts = of(key)) {
      ++counts->gets;
      counts->hits += hit ? 1 : 0;
    }
  }
  void count_set(std::string_view key) noexcept {
    if (PrefixCounts* counts = of(key)) {
      ++counts->sets;
    }
  }
  void count_delete(std::string_view key) noexcept {
    if (PrefixCounts* counts = of(key)) {
      ++counts->deletes;
    }
  }

 private:
  /// Null for a key without the delimiter, and for a new prefix when the table is full.
  PrefixCounts* of(std::string_view key) noexcept;

  char delimiter_;
  bool is_enabled_;
  PrefixTable table_;
};

}  // namespace millrace::worker
