// A region of memory on one NUMA node, in the largest pages the kernel gives, owned until destroyed.
//
// Thread: reserve() and fault_in() on the thread that will use it, pinned to a core of the node (where binding is not
// permitted, the kernel places pages near the thread that touches them first). Reading bytes() is anyone's.
// Ownership: the mapping is ours; move-only. Users of bytes() must end first.
// Invariants: 1. bytes() has exactly the bytes asked for and begins on a 2 MiB boundary. 2. After fault_in() no access
// can fault for want of memory, but for what was asked for beyond the start. 3. What text() says was measured from the
// kernel, not assumed. Explicit huge pages are populated inside reserve(): a page the pool turns out not to have is
// then an error code; touched later it would be SIGBUS. Why no 1 GiB pages: they must be set aside at boot, and 2 MiB
// ones leave few TLB misses to win.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace {

/// Pages the operator has set aside (vm.nr_hugepages).
enum class ExplicitPages : std::uint8_t {
  No,
  IfThere,   ///< if the node has enough of them free
  Required,  ///< or fail
};

struct HugeMemoryRequest {
  std::uint64_t bytes = 0;
  std::uint64_t bytes_at_start = 0;        ///< of these fault_in() makes resident; 0: all. The rest is for take_again()
  std::optional<std::uint32_t> node = {};  ///< unset: wherever
  ExplicitPages explicit_pages = ExplicitPages::IfThere;
  bool locks = false;  ///< never swapped out
};

/// What the kernel says of the region.
struct HugeMemoryFacts {
  std::uint64_t resident_bytes = 0;
  std::uint64_t explicit_bytes = 0;     ///< in explicit huge pages
  std::uint64_t transparent_bytes = 0;  ///< in transparent huge pages
  std::uint64_t locked_bytes = 0;
  std::uint32_t pages_sampled = 0;    ///< pages whose node was asked for; 0: the kernel would not say
  std::uint32_t pages_elsewhere = 0;  ///< of these, on another node than wanted
};

class HugeMemory {
 public:
  static Result<HugeMemory> reserve(const HugeMemoryRequest& request);
  HugeMemory(HugeMemory&& other) noexcept;
  HugeMemory& operator=(HugeMemory&& other) noexcept;
  HugeMemory(const HugeMemory&) = delete;
  HugeMemory& operator=(const HugeMemory&) = delete;
  ~HugeMemory();

  /// Makes every page resident that is to be so at start, and locks it if that was asked for. Contents are zero.
  Result<void> fault_in();

  /// The kernel takes the memory behind a part of bytes() (whole pages); its contents are lost. Before the first, the
  /// region is made one of normal pages: else the kernel would join what is left into huge ones, and fill the gaps.
  /// False: locked or explicit huge pages, which stay.
  bool give_back(std::span<std::byte> part) noexcept;
  /// Memory is behind it again, as zeros, at the latest when it is touched.
  void take_again(std::span<std::byte> part) noexcept;

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {start_, bytes_}; }
  [[nodiscard]] bool is_explicit() const noexcept { return is_explicit_; }
  [[nodiscard]] HugeMemoryFacts measure() const;
  /// "64.0 MiB in transparent huge pages on node 0 (62.0 MiB of it huge)": for the log. Measured now.
  [[nodiscard]] std::string text() const;
  /// What the operator may not expect: that binding to the node was not permitted.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }

 private:
  HugeMemory() = default;
  void release() noexcept;
  Result<void> map(const HugeMemoryRequest& request);
  Result<void> take_explicit(const HugeMemoryRequest& request);
  Result<void> bind();

  std::byte* reserved_ =
      nullptr;  ///< the whole of our address range: a guard page, alignment, the region, a guard page
  std::size_t reserved_bytes_ = 0;
  std::byte* start_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t mapped_bytes_ = 0;  ///< bytes_ in whole pages of the kind we have
  std::size_t start_bytes_ = 0;   ///< of mapped_bytes_, resident from the start
  std::int64_t given_bytes_ = 0;  ///< by give_back(), less what take_again() took; below zero: more than at start
  bool is_sparse_ = false;        ///< of normal pages, since some were given back
  std::optional<std::uint32_t> node_;
  bool is_explicit_ = false;
  bool is_bound_ = false;
  bool locks_ = false;
  std::vector<std::string> notes_;
};

}  // namespace millrace
