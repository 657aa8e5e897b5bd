#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace millrace::config {
namespace {

/// sun_path of sockaddr_un, with its terminator.
constexpr std::size_t kUnixPathBytesMax = 107;

/// --memory-max over -m: the ghost, 1/256 of the former, then takes a sixteenth of the latter.
constexpr std::uint64_t kMemoryGrowthMax = 16;

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<void> check_listening(Options& options) {
  if (!options.unix_path.empty()) {
    if (options.unix_path.size() > kUnixPathBytesMax) {
      return fail(fmt::format("-s: the path has {} bytes and a socket's may have {}; choose a shorter one",
                              options.unix_path.size(), kUnixPathBytesMax));
    }
    if (!options.listen.empty() || options.tcp_port_any || options.tcp_port != Options{}.tcp_port) {
      options.notes.push_back("-s: TCP is off, as with memcached, so -l and -p have no effect");
    }
    if (options.udp_port != 0) {
      options.notes.push_back("-s: UDP is off, as with memcached, so -U has no effect");
      options.udp_port = 0;
    }
    if (options.udp_aim_port != 0) {
      options.notes.push_back("-s: UDP is off, as with memcached, so --udp-aim has no effect");
      options.udp_aim_port = 0;
    }
    return {};
  }
  if (options.tcp_port == 0 && !options.tcp_port_any && options.udp_port == 0) {
    return fail(
        "-p 0 turns TCP off and there is neither -s nor -U, so nobody could connect; give a port or a socket's path");
  }
  const auto open = std::ranges::find_if(options.listen, [](const ListenAddress& a) { return !is_loopback(a.host); });
  const bool is_limited =
      std::ranges::any_of(options.access, [](const AccessRule& rule) { return !rule.allow.empty(); });
  if (open != options.listen.end() && !is_limited && !options.has_authentication()) {
    options.notes.push_back(
        fmt::format("-l {}: there is no authentication (-Y, -S); whoever reaches this address can read and "
                    "change everything, so let --allow or a firewall decide who does",
                    open->host));
    if (options.udp_aim_port != 0) {
      options.notes.push_back(
          "--udp-aim: whoever reaches this server is told its hash seed by stats aim, and can choose keys that all "
          "fall "
          "into one bucket; let only those reach it who may");
    }
  }
  return {};
}

void note_udp(Options& options) {
  if (options.udp_port == 0) {
    if (options.udp_allow != Options{}.udp_allow) {
      options.notes.push_back("--udp-allow has no effect without -U");
    }
    return;
  }
  const auto everybody = std::ranges::find_if(options.udp_allow, [](const dataplane::IpPrefix& prefix) {
    return prefix.bits == 0 || (prefix.is_v4_prefix() && prefix.bits == dataplane::IpPrefix::kV4Bits);
  });
  if (everybody != options.udp_allow.end()) {
    options.notes.push_back(
        fmt::format("--udp-allow {}: whoever forges a sender's address can make this server flood that address; name "
                    "the networks of your clients",
                    everybody->text()));
  }
}

Result<void> check_aim(const Options& options) {
  if (options.udp_aim_port != 0 && options.udp_port == 0) {
    return fail("--udp-aim gives each worker a UDP port besides that of -U, and there is no -U; add -U 11211, say");
  }
  return {};
}

/// What of the protocols each way to authenticate allows is memcached's choice, so that nothing is served around it.
Result<void> check_authentication(Options& options, const ProcessFacts& process) {
  if (!options.has_authentication()) {
    if (!options.sasl_pwdb.empty()) {
      return fail("--sasl-pwdb names the users of -S, and there is no -S; add it, or leave --sasl-pwdb out");
    }
    return {};
  }
  if (options.wants_sasl && !options.auth_file.empty()) {
    return fail(
        "-S authenticates over the binary protocol and -Y over text, and a server has one of them; leave one out");
  }
  const char* const option = options.wants_sasl ? "-S" : "-Y";
  if (options.udp_port != 0) {
    return fail(
        fmt::format("-U: nobody can authenticate over UDP, so {} and UDP exclude each other; leave -U out", option));
  }
  const Protocol needed = options.wants_sasl ? Protocol::Binary : Protocol::Text;
  if (options.protocol.value_or(needed) != needed) {
    return fail(fmt::format("-B: with {} every connection speaks the {} protocol; say -B {} or leave -B out", option,
                            options.wants_sasl ? "binary" : "ascii", options.wants_sasl ? "binary" : "ascii"));
  }
  options.protocol = needed;
  if (options.wants_sasl && options.sasl_pwdb.empty()) {
    options.sasl_pwdb = process.sasl_pwdb;
    if (options.sasl_pwdb.empty()) {
      return fail(
          "-S: it is not said who may come in; add --sasl-pwdb FILE, a file of user:password lines, or name it in "
          "MEMCACHED_SASL_PWDB");
    }
  }
  return {};
}

/// Memory to come must be memory that can come page by page.
Result<void> check_memory_max(const Options& options) {
  if (options.memory_max_mib == 0) {
    return {};
  }
  const std::uint64_t mib = options.memory_bytes >> 20;
  if (options.memory_max_mib < mib) {
    return fail(fmt::format("--memory-max {} is less than -m {}; give at least as much", options.memory_max_mib, mib));
  }
  if (options.memory_max_mib > kMemoryGrowthMax * mib) {
    return fail(
        fmt::format("--memory-max {} is more than {} times -m {}, and what must be there at start for so much would "
                    "take too much of it; give {} or less, or a larger -m",
                    options.memory_max_mib, kMemoryGrowthMax, mib, kMemoryGrowthMax * mib));
  }
  const char* const option = options.wants_huge_pages  ? "-L takes all its huge pages"
                             : options.locks_memory    ? "-k locks all its memory"
                             : options.nic.is_wanted() ? "--nic shows all its memory to the card"
                                                       : nullptr;
  if (option != nullptr && options.memory_max_mib > mib) {
    return fail(fmt::format("--memory-max {}: {} at start, so none can come later; leave one of them out, or say -m {}",
                            options.memory_max_mib, option, options.memory_max_mib));
  }
  return {};
}

Result<void> check_nic(Options& options) {
  const Nic& nic = options.nic;
  if (!nic.is_wanted()) {
    const bool is_told = !nic.addresses.empty() || !nic.gateways.empty() || nic.vlan != 0 || nic.mtu != Nic{}.mtu ||
                         !nic.eal_words.empty() || nic.has_telemetry;
    return is_told ? fail(
                         "--ip, --gateway, --vlan, --mtu, --telemetry and --dpdk-eal are about a network card, and "
                         "there is none; add "
                         "--nic PORT or leave them out")
                   : Result<void>{};
  }
  if (options.udp_port == 0) {
    return fail(options.unix_path.empty()
                    ? "--nic: UDP is what is served on a card, and there is no -U; add -U 11211, say"
                    : "--nic: UDP is what is served on a card, and -s turns it off; leave -s out");
  }
  if (nic.addresses.empty()) {
    return fail("--nic: the card needs an address that nobody else has, the kernel neither; add --ip 10.0.0.2/24, say");
  }
  options.notes.push_back(fmt::format(
      "--nic {}: there is no authentication over UDP; whoever reaches {} can read and change everything, and no "
      "firewall of this host stands before it",
      nic.port, nic.addresses.front().text()));
  return {};
}

Result<void> check_memory(const Options& options) {
  if (options.item_bytes_max > options.memory_bytes / 2) {
    return fail(
        fmt::format("-I: the largest item, {} bytes, may be at most half of the memory, {} bytes; raise -m or lower -I",
                    options.item_bytes_max, options.memory_bytes));
  }
  if (options.chunk_bytes_min > options.item_bytes_max) {
    return fail(
        fmt::format("-n {}: the smallest chunk is larger than the largest item, {} bytes (-I); lower -n or raise -I",
                    options.chunk_bytes_min, options.item_bytes_max));
  }
  return {};
}

Result<void> check_process(Options& options, const ProcessFacts& process) {
  if (options.shows_plan) {
    return {};  // nothing is opened or started
  }
  if (process.is_root && options.user.empty()) {
    return fail("root must say which user to become: -u nobody, say, or -u root if it must be root");
  }
  if (!process.is_root && !options.user.empty()) {
    options.notes.push_back(fmt::format("-u {} has no effect: only root can become another user", options.user));
    options.user.clear();
  }
  return {};
}

}  // namespace

Result<void> validate(Options& options, const ProcessFacts& process) {
  if (!options.topology.empty() && !options.shows_plan) {
    return fail(
        "--topology describes a machine that is not this one, so it goes with --show-plan only; add it, or leave "
        "--topology out");
  }
  const auto listening = check_listening(options);
  note_udp(options);
  for (const auto& check : {listening, check_aim(options), check_authentication(options, process), check_nic(options),
                            check_memory_max(options), check_memory(options), check_process(options, process)}) {
    if (!check) {
      return check;
    }
  }
  return {};
}

Result<void> check_aim_ports(const Options& options, std::uint32_t workers) {
  if (options.udp_aim_port == 0) {
    return {};
  }
  constexpr std::uint32_t kPortMax = 65'535;
  const std::uint32_t last = options.udp_aim_port + workers - 1;
  if (last > kPortMax) {
    return fail(
        fmt::format("--udp-aim {}: {} workers need the ports up to {}, and the last there is is {}; choose {} or "
                    "lower, or fewer workers (-t)",
                    options.udp_aim_port, workers, last, kPortMax, kPortMax + 1 - workers));
  }
  for (const ListenAddress& address : udp_listen_addresses(options, {})) {
    if (address.port >= options.udp_aim_port && address.port <= last) {
      return fail(
          fmt::format("--udp-aim {}: {} workers need the ports {} to {}, and UDP listens on {} for all of them "
                      "(-U, -l); choose ports apart from it",
                      options.udp_aim_port, workers, options.udp_aim_port, last, address.port));
    }
  }
  return {};
}

}  // namespace millrace::config
