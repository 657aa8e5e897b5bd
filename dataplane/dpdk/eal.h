// DPDK's environment (EAL), once a process: memory, drivers, its own threads, which are kept off the workers' CPUs.
//
// Thread: start() and the end of Eal on one thread, the main one, before and after all devices. It needs no thread of
// ours: nothing is launched by EAL, workers are threads of our own, pinned by us, that say EalThread in their first
// lines. Ownership: Eal outlives each Device and each EalThread. EAL cannot be started a second time in one process.
// Cold: Result with a sentence for the operator; nothing exits. SIGPIPE is ignored from start() on, unless it is
// handled.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataplane/dpdk/port_spec.h"

namespace millrace::dpdk {

struct EalOptions {
  std::vector<PortSpec> ports{};              ///< what will be opened: PCI devices are looked for now, others later
  std::vector<std::uint32_t> worker_cpus{};   ///< EAL's own threads keep out of these, if anything else is left
  std::uint64_t memory_bytes = 256ULL << 20;  ///< for mbufs and rings (Device::memory_bytes() of each, and 32 MiB)
  bool uses_huge_pages = true;                ///< if that many bytes of them are free now, on the card's node
  bool has_telemetry = false;                 ///< DPDK's own socket
  std::vector<std::string> extra{};           ///< raw EAL arguments, behind ours
  /// Gets DPDK's log, line by line, from any thread. Unset: standard error.
  std::function<void(bool is_error, std::string_view line)> log{};
};

/// What start() tells EAL. Pure, but for `free_huge_bytes` being asked of the kernel by start().
std::vector<std::string> eal_arguments(const EalOptions& options, const std::vector<std::uint32_t>& control_cpus,
                                       std::uint64_t free_huge_bytes, int process_id);

/// NUMA node of the first PCI device among the ports, where drivers want their rings; none: there is no such device, or
/// nobody knows. `sysfs` can be another tree.
std::optional<std::uint32_t> card_node(const std::vector<PortSpec>& ports, const std::string& sysfs = "/sys");

/// Bytes of huge pages nobody has taken, of all sizes: the node's, or those of all nodes.
std::uint64_t free_huge_page_bytes(std::optional<std::uint32_t> node = {}, const std::string& sysfs = "/sys");

/// Cards reach only memory that is locked. What to say when `bytes` of it are more than a process may lock; nothing:
/// they are not.
std::optional<std::string> locked_memory_refusal(std::uint64_t bytes, std::uint64_t limit_bytes, bool may_lock_all);

/// The last error that DPDK logged and nobody has asked for since; empty: none. Any thread.
std::string last_dpdk_error();

class Eal {
 public:
  static Result<std::unique_ptr<Eal>> start(const EalOptions& options);
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal();

  /// A number for names, never given twice.
  std::uint32_t next_instance() noexcept { return instances_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] bool has_huge_pages() const noexcept { return has_huge_pages_; }
  /// What was passed, for the log.
  [[nodiscard]] const std::string& command_line() const noexcept { return command_line_; }

 private:
  Eal() = default;

  std::atomic<std::uint32_t> instances_{0};
  bool has_huge_pages_ = false;
  std::string command_line_;
};

/// Makes the calling thread known to DPDK while it lives, so that mempools keep a cache for it. Pin first: this does
/// not. Ends on the same thread, after its last packet was released.
class EalThread {
 public:
  EalThread();
  EalThread(const EalThread&) = delete;
  EalThread& operator=(const EalThread&) = delete;
  ~EalThread();
  /// False: DPDK has no number left (128 threads), and each packet takes the slow way to its pool.
  [[nodiscard]] bool is_known() const noexcept { return is_known_; }

 private:
  bool is_known_ = false;
  bool is_ours_ = false;
};

}  // namespace millrace::dpdk
