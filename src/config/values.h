// Readers of single values on the command line: text in, a field of Options out, or a sentence with what would work.
// Any thread; pure. The parse_<id> functions are those that options.def calls MR_SPECIAL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"

namespace millrace::config {

/// A whole decimal number in [min, max]; `what` and `unit` are for the sentence: "-c: 'x' is not a number of
/// connections".
Result<std::uint64_t> parse_number(const std::string& what, const std::string& text, std::uint64_t min,
                                   std::uint64_t max, const std::string& unit);
/// A finite decimal fraction, nothing before or after it.
Result<double> parse_fraction(const std::string& what, const std::string& text);

/// memcached's -l: addresses separated by commas or semicolons; host, host:port, [v6]:port, bare v6, *.
Result<std::vector<ListenAddress>> parse_listen_list(const std::string& text);
/// "0,2-5" as {0,2,3,4,5}.
Result<std::vector<std::uint32_t>> parse_cpu_list(const std::string& text);

Result<void> parse_listen(const std::string& text, Options& options);
Result<void> parse_port(const std::string& text, Options& options);
Result<void> parse_udp_port(const std::string& text, Options& options);
Result<void> parse_udp_allow(const std::string& text, Options& options);
Result<void> parse_udp_aim(const std::string& text, Options& options);
Result<void> parse_allow(const std::string& text, Options& options);
Result<void> parse_refuse(const std::string& text, Options& options);
Result<void> parse_admin_listen(const std::string& text, Options& options);
Result<void> parse_cluster(const std::string& text, Options& options);
Result<void> parse_nic(const std::string& text, Options& options);
Result<void> parse_ip(const std::string& text, Options& options);
Result<void> parse_gateway(const std::string& text, Options& options);
Result<void> parse_vlan(const std::string& text, Options& options);
Result<void> parse_mtu(const std::string& text, Options& options);
Result<void> parse_dpdk_eal(const std::string& text, Options& options);
Result<void> parse_unix_mode(const std::string& text, Options& options);
Result<void> parse_protocol(const std::string& text, Options& options);
Result<void> parse_eviction(const std::string& text, Options& options);
Result<void> parse_memory(const std::string& text, Options& options);
Result<void> parse_item_max(const std::string& text, Options& options);
Result<void> parse_growth_factor(const std::string& text, Options& options);
Result<void> parse_workers(const std::string& text, Options& options);
Result<void> parse_cores(const std::string& text, Options& options);
Result<void> parse_prefix_delimiter(const std::string& text, Options& options);
Result<void> parse_hash_seed(const std::string& text, Options& options);
/// `text` is how often it was given.
Result<void> parse_verbose(const std::string& text, Options& options);

}  // namespace millrace::config
