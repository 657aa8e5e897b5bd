// What the operator asked for, checked and complete. Made once on the main thread; copied into plain per-worker
// structs.
//
// Ownership: a plain value. The initialisers here are the defaults, declared nowhere else: help reads them from
// Options{}. Names, bounds, units and sentences are in options.def; relations between fields in validate.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/eviction_policy.h"
#include "dataplane/api/interface_address.h"
#include "dataplane/api/ip_prefix.h"

namespace millrace::config {

/// One `-l` address. `host` may be a literal or a name; port 0 means that of `-p` or `-U`, any other goes for both.
struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

/// Who may connect to a listener, and what he may not ask there: --allow and --refuse.
struct AccessRule {
  std::string listener{};                    ///< as -l has it, or admin; empty: all but the administrators'
  std::vector<dataplane::IpPrefix> allow{};  ///< empty: nothing said
  std::vector<std::string> refused{};        ///< names of commands and of groups of them
};

/// Loopback, private (RFC 1918, RFC 4193) and link-local networks: from where no forged sender can aim answers at
/// others.
std::vector<dataplane::IpPrefix> networks_near_by();

/// A network card that DPDK drives, with our own network stack on it.
struct Nic {
  std::string port;                                      ///< --nic; empty: there is none
  std::vector<dataplane::InterfaceAddress> addresses{};  ///< --ip
  std::vector<dataplane::IpBytes> gateways{};            ///< --gateway
  std::uint16_t vlan = 0;                                ///< --vlan; 0: untagged
  std::uint16_t mtu = 1500;                              ///< --mtu
  std::vector<std::string> eal_words{};                  ///< --dpdk-eal
  bool has_telemetry = false;                            ///< --telemetry

  [[nodiscard]] bool is_wanted() const { return !port.empty(); }
};

/// What connections may speak: -B.
enum class Protocol : std::uint8_t {
  Auto,
  Text,
  Binary
};

struct Options {
  // Listening
  std::vector<ListenAddress> listen;  ///< -l; empty: loopback. Servers ask listen_addresses(), which fills it in
  std::uint16_t tcp_port = 11211;     ///< -p; 0: no TCP
  bool tcp_port_any = false;          ///< -p -1: whatever port is free; tcp_port is then 0
  std::uint16_t udp_port = 0;         ///< -U; 0: no UDP
  std::vector<dataplane::IpPrefix> udp_allow = networks_near_by();  ///< --udp-allow
  std::uint16_t udp_aim_port = 0;           ///< --udp-aim: worker w also listens on this + w; 0: none does
  std::vector<ListenAddress> admin_listen;  ///< --admin-listen: TCP addresses where administrators' commands are obeyed
  std::vector<AccessRule> access;           ///< --allow, --refuse
  bool may_be_open = false;                 ///< --open: strangers may reach it, and nothing is asked of them
  std::string unix_path;                    ///< -s; not empty: the socket instead of TCP, as memcached has it
  std::uint32_t unix_mode = 0700;           ///< -a
  std::uint32_t connections_max = 1024;     ///< -c
  std::uint32_t listen_backlog = 1024;      ///< -b
  std::uint32_t idle_timeout_s = 0;         ///< -o idle_timeout; 0: never
  std::optional<Protocol> protocol;         ///< -B; unset: Auto, and what -Y and -S want
  Nic nic;
  // Store
  std::uint64_t memory_bytes = 64ULL << 20;         ///< -m
  std::uint64_t memory_max_mib = 0;                 ///< --memory-max; 0: -m is the most
  bool evicts = true;                               ///< -M
  EvictionPolicy eviction = EvictionPolicy::Clock;  ///< --eviction
  std::uint32_t item_bytes_max = 1 << 20;           ///< -I
  std::optional<double> growth_factor;              ///< -f; unset: the store's choice
  std::uint32_t chunk_bytes_min = 48;               ///< -n
  std::vector<std::uint32_t> chunk_sizes;           ///< -o slab_sizes; empty: by -n and -f
  std::uint32_t large_value_share = 50;             ///< --large-value-share: percent
  bool wants_huge_pages = false;                    ///< -L: explicit huge pages or no start
  bool locks_memory = false;                        ///< -k
  bool crawls = true;                  ///< -o no_lru_crawler turns it off: expired items go when they are met
  std::uint32_t crawl_sleep_us = 100;  ///< -o lru_crawler_sleep
  std::uint32_t crawl_slots = 0;       ///< -o lru_crawler_tocrawl; 0: all
  std::uint32_t automove = 1;          ///< -o slab_automove; 0: pages stay in their size classes
  // Workers
  std::optional<std::uint32_t> workers;  ///< -t; unset: one per core we may use
  std::vector<std::uint32_t> cores;      ///< --cores; empty: chosen by the plan
  bool may_oversubscribe = false;        ///< --oversubscribe: more workers than cores
  bool polls = false;                    ///< --poll: idle workers spin
  // Surface
  bool cas_enabled = true;                 ///< -C turns it off
  bool shutdown_enabled = false;           ///< -A
  bool flush_enabled = true;               ///< -F
  bool dump_enabled = true;                ///< -X
  std::vector<std::string> cluster_nodes;  ///< --cluster: host|address|port, told by config get cluster
  bool watch_enabled = true;               ///< -W
  bool tracks_sizes = false;               ///< -o track_sizes: `stats sizes` answers
  bool detail_enabled = false;             ///< -D given
  char prefix_delimiter = ':';             ///< -D
  // Authentication
  std::string auth_file;    ///< -Y; empty: no login over text
  bool wants_sasl = false;  ///< -S
  std::string sasl_pwdb;    ///< --sasl-pwdb, or else the environment's; for -S
  [[nodiscard]] bool has_authentication() const { return wants_sasl || !auth_file.empty(); }
  // Process
  int verbosity = 0;            ///< -v, -vv, -vvv
  bool daemonizes = false;      ///< -d
  bool core_dumps = false;      ///< -r
  std::string user;             ///< -u: whom to become after listening; never empty when we run as root
  std::string pid_file;         ///< -P
  bool shows_plan = false;      ///< --show-plan
  std::string topology;         ///< --topology: hwloc synthetic string or XML file, with --show-plan
  std::uint64_t hash_seed = 0;  ///< --hash-seed; 0: drawn at start
  // Transport
  std::uint32_t zero_copy_bytes_min = 0;  ///< --zero-copy-min; 0: never

  std::vector<std::string> notes;  ///< what was asked for and is not as the operator may expect: printed at start
};

}  // namespace millrace::config
