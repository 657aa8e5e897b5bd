#include "base/huge_memory.h"

#include <fmt/format.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <utility>

#include "base/assert.h"
#include "base/bytes_text.h"

// Since Linux 5.14; Debian 12's headers have it, older ones may not.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

namespace millrace {
namespace {

constexpr std::size_t kHugeBytes = 2ULL << 20;
/// Pages whose node is asked for: enough to notice a spill, cheap enough for a start.
constexpr std::size_t kPagesSampledMax = 256;

std::size_t page_bytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// Addresses without memory, where a mapping was. Cannot fail for a range that is ours.
void reserve_again(std::byte* start, std::size_t bytes) {
  void* mapped = mmap(start, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  MR_ASSERT(mapped == start);
}

std::string reason() { return std::strerror(errno); }

/// Explicit 2 MiB pages free on the node (all nodes together when none is named); nothing when the kernel has none at
/// all.
std::optional<std::uint64_t> explicit_pages_free(std::optional<std::uint32_t> node) {
  const std::string path =
      node ? fmt::format("/sys/devices/system/node/node{}/hugepages/hugepages-2048kB/free_hugepages", *node)
           : "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
  std::ifstream in(path);
  std::uint64_t pages = 0;
  return in >> pages ? std::optional(pages) : std::nullopt;
}

/// The sum of some lines of a meminfo file; nothing when it has none of them.
std::optional<std::uint64_t> meminfo_bytes(const std::string& path, std::initializer_list<const char*> wanted) {
  std::ifstream in(path);
  std::string word;
  std::optional<std::uint64_t> sum;
  while (in >> word) {
    std::uint64_t kib = 0;
    if (std::ranges::find(wanted, word) != wanted.end() && in >> kib) {
      sum = sum.value_or(0) + kib * 1024;
    }
  }
  return sum;
}

/// What a node could give without swapping: free pages and those of files and caches.
std::optional<std::uint64_t> node_bytes_available(std::uint32_t node) {
  const auto path_of = [](std::uint32_t n) { return fmt::format("/sys/devices/system/node/node{}", n); };
  auto available =
      meminfo_bytes(path_of(node) + "/meminfo", {"MemFree:", "Inactive(file):", "Active(file):", "SReclaimable:"});
  // With one node, the whole machine's figure also counts what a balloon will give back on demand (topology.cc).
  std::error_code ignored;
  if (available && node == 0 && !std::filesystem::exists(path_of(1), ignored)) {
    available = std::max(*available, meminfo_bytes("/proc/meminfo", {"MemAvailable:"}).value_or(0));
  }
  return available;
}

/// Touches every page by hand, for kernels without MADV_POPULATE_WRITE.
void touch(std::byte* start, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += page_bytes()) {
    auto* byte = reinterpret_cast<volatile std::byte*>(start + at);
    *byte = *byte;
  }
}

/// Populates; false with errno when there is not enough memory.
bool populate(std::byte* start, std::size_t bytes) {
  while (madvise(start, bytes, MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR || errno == EAGAIN) {
      continue;
    }
    if (errno == EINVAL || errno == ENOSYS) {  // an older kernel
      touch(start, bytes);
      return true;
    }
    return false;
  }
  return true;
}

std::string on_node(const std::optional<std::uint32_t>& node) { return node ? fmt::format(" on node {}", *node) : ""; }

}  // namespace

Result<HugeMemory> HugeMemory::reserve(const HugeMemoryRequest& request) {
  if (request.bytes == 0) {
    return fail("a region of no bytes was asked for");
  }
  HugeMemory memory;
  memory.bytes_ = request.bytes;
  memory.node_ = request.node;
  memory.locks_ = request.locks;
  if (auto mapped = memory.map(request); !mapped) {
    return std::unexpected(mapped.error());
  }
  return memory;
}

Result<void> HugeMemory::map(const HugeMemoryRequest& request) {
  // An inaccessible page on each side keeps the kernel from merging our mapping with a neighbour's (measure() would
  // then count both) and turns running over the end into a fault.
  const std::size_t region = up(bytes_, kHugeBytes);
  reserved_bytes_ = region + kHugeBytes + 2 * page_bytes();
  void* range = mmap(nullptr, reserved_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    reserved_bytes_ = 0;
    return fail(fmt::format("no {} of addresses for the store: {}; use a smaller -m or raise ulimit -v",
                            bytes_text(bytes_), reason()));
  }
  reserved_ = static_cast<std::byte*>(range);
  const auto first = reinterpret_cast<std::uintptr_t>(reserved_) + page_bytes();
  start_ = reserved_ + page_bytes() + (up(first, kHugeBytes) - first);

  if (request.explicit_pages != ExplicitPages::No) {
    auto taken = take_explicit(request);
    if (taken) {
      return {};
    }
    if (request.explicit_pages == ExplicitPages::Required) {
      return taken;
    }
  }
  mapped_bytes_ = start_bytes_ = up(bytes_, page_bytes());
  void* mapped = mmap(start_, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (mapped == MAP_FAILED) {
    return fail(fmt::format("no {} of memory for the store: {}; use a smaller -m", bytes_text(bytes_), reason()));
  }
  // Refused by kernels built without transparent huge pages: normal ones then, and text() will say so.
  madvise(start_, mapped_bytes_, MADV_HUGEPAGE);
  if (auto bound = bind(); !bound) {
    return bound;
  }
  if (request.bytes_at_start != 0) {
    start_bytes_ = std::min(up(request.bytes_at_start, page_bytes()), mapped_bytes_);
  }
  const auto available = node_ ? node_bytes_available(*node_) : std::nullopt;
  if (is_bound_ && available && *available < start_bytes_) {
    return fail(
        fmt::format("node {} has {} that could be used and {} are needed; use a smaller -m, fewer workers there "
                    "(--cores), or end what fills it",
                    *node_, bytes_text(*available), bytes_text(start_bytes_)));
  }
  return {};
}

Result<void> HugeMemory::take_explicit(const HugeMemoryRequest& request) {
  const std::size_t region = up(bytes_, kHugeBytes);
  const std::uint64_t pages = region / kHugeBytes;
  const auto free = explicit_pages_free(node_);
  if (!free || *free < pages) {
    return fail(
        fmt::format("{} explicit huge pages of 2 MiB are needed{} and {} are free; set them aside (as root: "
                    "sysctl vm.nr_hugepages=N, or per node in /sys/devices/system/node), or leave out -L",
                    pages, on_node(node_), free.value_or(0)));
  }
  void* mapped = mmap(start_, region, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
  if (mapped == MAP_FAILED) {
    const std::string why = reason();
    // MAP_FIXED may have taken the old mapping away before it failed.
    reserve_again(start_, region);
    return fail(
        fmt::format("the kernel gives no {} in explicit huge pages: {}; set more aside (vm.nr_hugepages), or "
                    "leave out -L",
                    bytes_text(region), why));
  }
  mapped_bytes_ = start_bytes_ = region;
  is_explicit_ = true;
  auto bound = bind();
  if (bound && populate(start_, region)) {
    return {};
  }
  const std::string why = reason();
  reserve_again(start_, region);
  mapped_bytes_ = 0;
  is_explicit_ = false;
  is_bound_ = false;
  notes_.clear();
  if (!bound) {
    return bound;
  }
  const char* hint = request.explicit_pages == ExplicitPages::Required ? ", or leave out -L" : "";
  return fail(fmt::format("explicit huge pages{} ran out while {} were taken: {}; set more aside (vm.nr_hugepages){}",
                          on_node(node_), bytes_text(region), why, hint));
}

Result<void> HugeMemory::bind() {
  if (!node_) {
    return {};
  }
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  std::vector<unsigned long> mask(*node_ / kBits + 1, 0);
  mask[*node_ / kBits] |= 1UL << (*node_ % kBits);
  // The kernel reads one bit fewer than it is told.
  const unsigned long bits = mask.size() * kBits + 1;
  if (syscall(SYS_mbind, start_, mapped_bytes_, MPOL_BIND, mask.data(), bits, 0) == 0) {
    is_bound_ = true;
    return {};
  }
  if (errno == EPERM || errno == ENOSYS) {
    notes_.push_back(
        fmt::format("memory could not be bound to node {} ({}: a container?); the kernel places it near the "
                    "thread that touches it first",
                    *node_, reason()));
    return {};
  }
  return fail(
      fmt::format("memory cannot be bound to node {}: {}; use --cores with CPUs of other nodes", *node_, reason()));
}

Result<void> HugeMemory::fault_in() {
  if (!populate(start_, start_bytes_)) {
    return fail(fmt::format("{} of memory{} could not be made resident: {}; use a smaller -m", bytes_text(start_bytes_),
                            on_node(node_), reason()));
  }
  if (locks_ && mlock(start_, start_bytes_) != 0) {
    const std::string why = reason();
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    const std::string allowed = limit.rlim_cur == RLIM_INFINITY ? "no limit" : bytes_text(limit.rlim_cur);
    return fail(
        fmt::format("-k: {} of memory could not be locked: {} (the limit is {}); raise it (ulimit -l, "
                    "LimitMEMLOCK=), start as root, or leave out -k",
                    bytes_text(bytes_), why, allowed));
  }
  return {};
}

bool HugeMemory::give_back(std::span<std::byte> part) noexcept {
  if (is_explicit_ || locks_) {
    return false;
  }
  if (!is_sparse_) {
    madvise(start_, mapped_bytes_, MADV_NOHUGEPAGE);
    is_sparse_ = true;
  }
  if (madvise(part.data(), part.size(), MADV_DONTNEED) != 0) {
    return false;
  }
  given_bytes_ += static_cast<std::int64_t>(part.size());
  return true;
}

void HugeMemory::take_again(std::span<std::byte> part) noexcept {
  // Refused by older kernels, or for want of memory: then it comes, or does not, with the first touch.
  madvise(part.data(), part.size(), MADV_POPULATE_WRITE);
  given_bytes_ -= static_cast<std::int64_t>(part.size());
  if (is_sparse_ && given_bytes_ <= 0) {
    madvise(start_, mapped_bytes_, MADV_HUGEPAGE);
    is_sparse_ = false;
  }
}

HugeMemoryFacts HugeMemory::measure() const {
  HugeMemoryFacts facts;
  const auto begin = reinterpret_cast<std::uintptr_t>(start_);
  const std::uintptr_t end = begin + mapped_bytes_;
  std::ifstream in("/proc/self/smaps");
  std::string line;
  bool is_ours = false;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (!name.ends_with(':')) {  // a mapping's first line: 7f..-7f.. rw-p
      const std::size_t dash = name.find('-');
      const std::uintptr_t from = std::stoull(name.substr(0, dash), nullptr, 16);
      is_ours = from >= begin && from < end;
      continue;
    }
    std::uint64_t kib = 0;
    if (!is_ours || !(words >> kib)) {
      continue;
    }
    if (name == "Rss:") {
      facts.resident_bytes += kib * 1024;
    } else if (name == "AnonHugePages:") {
      facts.transparent_bytes += kib * 1024;
    } else if (name == "Private_Hugetlb:" || name == "Shared_Hugetlb:") {
      facts.explicit_bytes += kib * 1024;
    } else if (name == "Locked:") {
      facts.locked_bytes += kib * 1024;
    }
  }
  facts.resident_bytes += facts.explicit_bytes;  // which Rss leaves out

  std::vector<void*> pages;
  const std::size_t step = up(std::max(mapped_bytes_ / kPagesSampledMax, page_bytes()), page_bytes());
  for (std::size_t at = 0; at < mapped_bytes_; at += step) {
    pages.push_back(start_ + at);
  }
  std::vector<int> nodes(pages.size(), -1);
  if (syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, nodes.data(), 0) == 0) {
    for (const int node : nodes) {
      facts.pages_sampled += node >= 0 ? 1 : 0;
      facts.pages_elsewhere += node >= 0 && node_ && static_cast<std::uint32_t>(node) != *node_ ? 1 : 0;
    }
  }
  return facts;
}

std::string HugeMemory::text() const {
  const HugeMemoryFacts facts = measure();
  std::string kind = "in normal pages";
  std::string detail;
  if (facts.explicit_bytes > 0) {
    kind = "in explicit huge pages";
  } else if (facts.transparent_bytes > 0) {
    kind = "in transparent huge pages";
    detail = fmt::format(" ({} of it huge)", bytes_text(facts.transparent_bytes));
  }
  std::string where = is_bound_ || facts.pages_sampled > 0 ? on_node(node_) : "";
  if (facts.pages_elsewhere > 0) {
    where += fmt::format(", {} of {} sampled pages elsewhere", facts.pages_elsewhere, facts.pages_sampled);
  }
  std::string out = fmt::format("{} {}{}{}", bytes_text(bytes_), kind, where, detail);
  if (facts.resident_bytes < bytes_) {
    out += fmt::format(", {} of it resident", bytes_text(facts.resident_bytes));
  }
  if (facts.locked_bytes > 0) {
    out += ", locked";
  }
  return out;
}

HugeMemory::HugeMemory(HugeMemory&& other) noexcept { *this = std::move(other); }

HugeMemory& HugeMemory::operator=(HugeMemory&& other) noexcept {
  if (this != &other) {
    release();
    reserved_ = std::exchange(other.reserved_, nullptr);
    reserved_bytes_ = std::exchange(other.reserved_bytes_, 0);
    start_ = std::exchange(other.start_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
    start_bytes_ = std::exchange(other.start_bytes_, 0);
    given_bytes_ = std::exchange(other.given_bytes_, 0);
    is_sparse_ = std::exchange(other.is_sparse_, false);
    node_ = other.node_;
    is_explicit_ = other.is_explicit_;
    is_bound_ = other.is_bound_;
    locks_ = other.locks_;
    notes_ = std::move(other.notes_);
  }
  return *this;
}

HugeMemory::~HugeMemory() { release(); }

void HugeMemory::release() noexcept {
  if (reserved_ != nullptr) {
    munmap(reserved_, reserved_bytes_);
  }
  reserved_ = nullptr;
}

}  // namespace millrace
