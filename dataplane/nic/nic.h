// A network card of our own: a device of DPDK's with a queue pair and a network stack for each worker. What the server
// and the traffic generator are told on the command line becomes transports here; both know no more of DPDK.
//
// Threads: open(), tick(), lend(), shut_down() and the end on the main thread. enter_thread() and transport() on the
// worker's own, which ends what they gave on that thread, the transport first.
// Ownership: owns DPDK's environment (one a process) and the device; outlives every transport, and the memory that was
// given to lend() until shut_down(). Cold: Result with a sentence for the operator.
// In a build without DPDK open() says so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataplane/api/interface_address.h"
#include "dataplane/stack/stack_transport.h"

namespace millrace::nic {

struct NicOptions {
  std::string port{};  ///< as dpdk/port_spec.h has it: 0000:03:00.0, memif:PATH, ...
  std::vector<dataplane::InterfaceAddress> addresses{};
  std::vector<dataplane::IpBytes> gateways{};
  std::uint16_t vlan = 0;
  std::uint16_t mtu = 1500;
  std::vector<std::string> eal_words{};  ///< raw, behind ours
  std::vector<std::uint32_t> cpus{};     ///< of each queue's worker: one queue for each
  std::vector<std::uint32_t> nodes{};    ///< their NUMA nodes
  std::uint32_t lend_bytes_min = 0;      ///< slices from here on are left where they lie; 0: never
  std::uint64_t seed = 0;                ///< secret
  std::uint16_t aim_port = 0;            ///< UDP port of queue 0's worker, the next is queue 1's, ...; 0: none
  bool may_sleep = false;                ///< workers wait for the card's interrupts when idle, where it has them
  bool has_telemetry = false;            ///< a socket to look inside and to capture: dpdk/telemetry.h
  /// Gets DPDK's own words, from any thread.
  std::function<void(bool is_error, std::string_view line)> log{};
};

/// What the addresses make together: none, two of one network that contradict, a gateway nobody can reach. Pure.
Result<ip::HostAddresses> host_addresses(const NicOptions& options, const wire::MacAddress& mac);

/// While it lives, the thread that made it is one of DPDK's.
class ThreadOfDpdk {
 public:
  virtual ~ThreadOfDpdk() = default;
};

class Nic {
 public:
  static Result<std::unique_ptr<Nic>> open(const NicOptions& options);
  Nic(const Nic&) = delete;
  Nic& operator=(const Nic&) = delete;
  ~Nic();

  [[nodiscard]] std::unique_ptr<ThreadOfDpdk> enter_thread();
  /// Queue `queue` with a stack. Of `options`, `stack` is filled in here.
  Result<std::unique_ptr<stack::StackTransport>> transport(std::uint16_t queue, stack::StackTransportOptions options);

  /// Lets the device read these bytes where they are, until shut_down().
  Result<void> lend(std::span<std::byte> bytes, std::size_t page_bytes);
  /// Ticks until the other end is there. An error: it was not within `patience`.
  Result<void> wait_for_link(Duration patience);
  /// Every 10 to 100 ms: link and resets. An error: the device is gone.
  Result<void> tick();
  /// All transports have ended: nobody reads lent bytes from here on.
  void shut_down();

  /// For the log: device, driver, queues, addresses; and what the operator should know.
  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }
  /// What the operator should know and only traffic shows: each sentence once. After tick().
  [[nodiscard]] std::optional<std::string> take_news();

 private:
  struct Parts;  // DPDK's, or nothing
  explicit Nic(NicOptions options);

  const NicOptions options_;
  stack::LinkNews news_;
  stack::FragmentExchange fragments_;
  stack::FlowSpread spread_;
  stack::SpreadWatch watch_;
  bool has_told_spread_ = false;
  std::unique_ptr<Parts> parts_;
  std::vector<std::string> lines_;
  std::vector<std::string> notes_;
};

}  // namespace millrace::nic
