// What the operator asked the generator for, checked and complete. Made once on the main thread; read by all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/load/key_sequence.h"
#include "bench/load/operation.h"
#include "bench/load/phase.h"
#include "bench/load/protocol/protocol.h"
#include "bench/load/schedule.h"
#include "bench/load/size_distribution.h"
#include "dataplane/api/interface_address.h"

namespace millrace::load {

struct Options {
  // Server
  std::string host = "127.0.0.1";
  std::uint16_t port = 11211;
  std::string unix_path;  ///< instead of host and port, when not empty
  bool uses_udp = false;
  bool aims = false;  ///< each request to the UDP port of the worker that owns its key
  // Network card of ours: the server is asked over it, past the kernel
  std::string nic;
  std::vector<dataplane::InterfaceAddress> nic_addresses;
  std::vector<dataplane::IpBytes> nic_gateways;
  std::uint16_t nic_vlan = 0;
  std::uint16_t nic_mtu = 1500;
  // Generator
  std::uint32_t threads = 1;
  std::vector<std::uint32_t> cores;  ///< thread i is bound to core i of the list; empty: not bound
  std::uint32_t connections = 0;     ///< of all threads together
  std::uint32_t depth = 0;
  double timeout_s = 0;  ///< completed: 10, over UDP 1
  // Workload: workload_options.h
  std::string scenario;  ///< that it was made from; empty: none
  Protocol protocol = Protocol::Text;
  std::uint64_t keys = 1'000'000;
  SizeDistribution key_sizes{SizeDistribution::Of::Keys, 30, 30};
  SizeDistribution value_sizes{SizeDistribution::Of::Values, 64, 64};
  KeyPlan key_plan;
  OperationWeights mix{};  ///< Mode::Mix
  std::uint32_t keys_per_get = 32;
  std::uint32_t ttl_s_min = 0;
  std::uint32_t ttl_s_max = 0;
  bool reads_through = false;
  bool verifies = false;
  std::uint64_t seed = 1;
  // Run
  std::vector<Mode> modes;  ///< one phase each, in this order; Replay stands alone
  std::uint32_t rounds = 1;
  double warmup_s = 0;
  std::optional<double> seconds;
  std::optional<std::uint64_t> requests;
  // Pace
  std::optional<double> rate_per_s;  ///< open loop, all threads together; nothing: closed loop
  Arrivals arrivals = Arrivals::Constant;
  Idling idling = Idling::Near;
  bool finds_knee = false;
  double p99_max_us = 1000;
  std::uint32_t knee_trials_max = 24;
  // Replay
  std::string trace_path;
  std::optional<double> replay_speed;    ///< so many times as fast as recorded
  std::uint64_t model_memory_bytes = 0;  ///< 0: no model
  // Report
  std::string json_path;
  std::string html_path;
  std::string hdr_path;
  double interval_s = 1;  ///< of the figures over time
  bool shows_live = false;

  [[nodiscard]] bool is_replay() const noexcept { return modes.size() == 1 && modes.front() == Mode::Replay; }
};

struct ParsedOptions {
  std::optional<Options> options;  ///< nothing: `text` (help) is to be printed instead
  std::string text;
};

Result<ParsedOptions> parse_options(int argc, const char* const* argv);

/// `host:port`, `[v6]:port` or `host` into host and port.
Result<void> parse_server(const std::string& text, std::string& host, std::uint16_t& port);

}  // namespace millrace::load
