#include "config/values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace millrace::config {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kItemBytesMin = 1024;
constexpr std::uint64_t kItemBytesMax = 128 * kMiB;
/// 64 TiB: beyond what any machine has, far from overflow.
constexpr std::uint64_t kMemoryMibMax = 64ULL << 20;
constexpr std::uint64_t kWorkersMax = 256;
/// As many as the kernel can be built for.
constexpr std::uint64_t kCpuMax = 8191;

/// The whole text as an unsigned number in `base`; false when it is anything else.
bool reads_as(const std::string& text, std::uint64_t& out, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out, base);
  return error == std::errc() && at == end;
}

Result<std::uint16_t> parse_listen_port(const std::string& entry, const std::string& text) {
  const auto port = parse_number("-l " + entry, text, 1, 65'535, "port");
  if (!port) {
    return std::unexpected(port.error());
  }
  return static_cast<std::uint16_t>(*port);
}

/// memcached's words before an address, that change what a listener speaks.
Result<void> refuse_prefix(const std::string& entry) {
  struct Prefix {
    const char* word;
    const char* why;
  };
  constexpr Prefix kPrefixes[] = {
      {"proto[", "a protocol for one address cannot be chosen; all addresses speak what -B says. Leave it out"},
      {"tag[", "tags belong to memcached's proxy, which Millrace has not. Leave it out"},
      {"notls:", "there is no TLS yet, so no address has it. Leave the prefix out"},
      {"btls:", "there is no TLS yet. Leave the prefix out and put a TLS proxy in front"},
      {"mtls:", "there is no TLS yet. Leave the prefix out and put a TLS proxy in front"},
  };
  for (const Prefix& prefix : kPrefixes) {
    if (entry.starts_with(prefix.word)) {
      return fail(fmt::format("-l {}: {}", entry, prefix.why));
    }
  }
  return {};
}

Result<ListenAddress> parse_bracketed(const std::string& entry) {
  const std::size_t close = entry.find(']');
  if (close == std::string::npos) {
    return fail(fmt::format("-l {}: the ']' is missing; write [::1]:11211", entry));
  }
  ListenAddress out{.host = entry.substr(1, close - 1), .port = 0};
  const std::string after = entry.substr(close + 1);
  if (out.host.empty() || (!after.empty() && after[0] != ':')) {
    return fail(fmt::format("-l {}: not an address; write [::1]:11211", entry));
  }
  if (!after.empty()) {
    const auto port = parse_listen_port(entry, after.substr(1));
    if (!port) {
      return std::unexpected(port.error());
    }
    out.port = *port;
  }
  return out;
}

Result<ListenAddress> parse_address(const std::string& entry) {
  if (auto fine = refuse_prefix(entry); !fine) {
    return std::unexpected(fine.error());
  }
  if (entry.starts_with('[')) {
    return parse_bracketed(entry);
  }
  const std::size_t colon = entry.find(':');
  // One colon ends the host; more are a bare IPv6 address, which then has no port.
  if (colon == std::string::npos || entry.find(':', colon + 1) != std::string::npos) {
    return ListenAddress{.host = entry, .port = 0};
  }
  const auto port = parse_listen_port(entry, entry.substr(colon + 1));
  if (!port) {
    return std::unexpected(port.error());
  }
  if (colon == 0) {
    return fail(fmt::format("-l {}: there is no address before the port; write *:{} for all addresses", entry, *port));
  }
  return ListenAddress{.host = entry.substr(0, colon), .port = *port};
}

}  // namespace

std::vector<dataplane::IpPrefix> networks_near_by() {
  std::vector<dataplane::IpPrefix> out;
  for (const char* text : {"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
                           "169.254.0.0/16", "fe80::/10"}) {
    out.push_back(*dataplane::IpPrefix::parse(text));
  }
  return out;
}

Result<std::uint64_t> parse_number(const std::string& what, const std::string& text, std::uint64_t min,
                                   std::uint64_t max, const std::string& unit) {
  std::uint64_t number = 0;
  const std::string wanted = unit.empty() ? fmt::format("a number from {} to {}", min, max)
                                          : fmt::format("a number of {} from {} to {}", unit, min, max);
  if (!reads_as(text, number)) {
    return fail(fmt::format("{}: '{}' is not {}", what, text, unit == "port" ? "a port from 1 to 65535" : wanted));
  }
  if (number < min || number > max) {
    return fail(fmt::format("{}: {} is out of range; give {}", what, text,
                            unit == "port" ? fmt::format("a port from {} to {}", min, max) : wanted));
  }
  return number;
}

Result<double> parse_fraction(const std::string& what, const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || at != end || !std::isfinite(number)) {
    return fail(fmt::format("{}: '{}' is not a number such as 1.25", what, text));
  }
  return number;
}

Result<std::vector<ListenAddress>> parse_listen_list(const std::string& text) {
  std::vector<ListenAddress> out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find_first_of(",;", start), text.size());
    const std::string entry = text.substr(start, end - start);
    if (entry.empty()) {
      return fail(fmt::format("-l '{}': an address is empty; separate addresses with single commas", text));
    }
    auto address = parse_address(entry);
    if (!address) {
      return std::unexpected(address.error());
    }
    out.push_back(std::move(*address));
    start = end + 1;
  }
  return out;
}

Result<std::vector<std::uint32_t>> parse_cpu_list(const std::string& text) {
  std::vector<std::uint32_t> out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string entry = text.substr(start, end - start);
    const std::size_t dash = entry.find('-');
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const bool reads =
        reads_as(entry.substr(0, dash), first) && (dash == std::string::npos || reads_as(entry.substr(dash + 1), last));
    last = dash == std::string::npos ? first : last;
    if (!reads || first > last || last > kCpuMax) {
      return fail(
          fmt::format("--cores '{}': '{}' is not a CPU number or range up to {}; write 0,2-5", text, entry, kCpuMax));
    }
    if (out.size() + (last - first) > kCpuMax) {
      return fail(fmt::format("--cores '{}': more than {} CPUs; name each once", text, kCpuMax));
    }
    for (std::uint64_t cpu = first; cpu <= last; ++cpu) {
      out.push_back(static_cast<std::uint32_t>(cpu));
    }
    start = end + 1;
  }
  return out;
}

Result<void> parse_listen(const std::string& text, Options& options) {
  auto addresses = parse_listen_list(text);
  if (!addresses) {
    return std::unexpected(addresses.error());
  }
  options.listen.insert(options.listen.end(), addresses->begin(), addresses->end());
  return {};
}

Result<void> parse_port(const std::string& text, Options& options) {
  options.tcp_port_any = text == "-1";
  if (options.tcp_port_any) {
    options.tcp_port = 0;
    return {};
  }
  const auto port = parse_number("-p", text, 0, 65'535, "");
  if (!port) {
    return fail(port.error().what + ", or -1 for any port that is free");
  }
  options.tcp_port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<void> parse_udp_port(const std::string& text, Options& options) {
  const auto port = parse_number("-U", text, 0, 65'535, "");
  if (!port) {
    return fail(port.error().what + "; 0 is for none");
  }
  options.udp_port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<void> parse_udp_allow(const std::string& text, Options& options) {
  options.udp_allow.clear();
  if (text == "none") {
    return {};
  }
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    auto prefix = dataplane::IpPrefix::parse(std::string_view(text).substr(start, end - start));
    if (!prefix) {
      return fail(fmt::format("--udp-allow: {}; separate networks with commas, or say none", prefix.error().what));
    }
    options.udp_allow.push_back(*prefix);
    start = end + 1;
  }
  return {};
}

Result<void> parse_udp_aim(const std::string& text, Options& options) {
  const auto port = parse_number("--udp-aim", text, 0, 65'535, "");
  if (!port) {
    return fail(port.error().what + "; 0 is for none");
  }
  options.udp_aim_port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<void> parse_nic(const std::string& text, Options& options) {
  if (text.empty()) {
    return fail("--nic: an empty word is no port; leave it out, or name one: 0000:03:00.0, memif:/run/m.sock");
  }
  if (!options.nic.port.empty()) {
    return fail(fmt::format("--nic {} and --nic {}: one card is served; leave one out, or start a server for each",
                            options.nic.port, text));
  }
  options.nic.port = text;
  return {};
}

Result<void> parse_ip(const std::string& text, Options& options) {
  const auto address = dataplane::InterfaceAddress::parse(text);
  if (!address) {
    return fail("--ip: " + address.error().what);
  }
  options.nic.addresses.push_back(*address);
  return {};
}

Result<void> parse_gateway(const std::string& text, Options& options) {
  const auto address = dataplane::parse_ip(text);
  if (!address) {
    return fail("--gateway: " + address.error().what);
  }
  for (const dataplane::IpBytes& earlier : options.nic.gateways) {
    if (dataplane::is_v4(earlier) == dataplane::is_v4(*address)) {
      return fail(fmt::format("--gateway {} and --gateway {}: one for each family; leave one out",
                              dataplane::ip_text(earlier), text));
    }
  }
  options.nic.gateways.push_back(*address);
  return {};
}

Result<void> parse_vlan(const std::string& text, Options& options) {
  const auto id = parse_number("--vlan", text, 0, 4094, "");
  if (!id) {
    return fail(id.error().what + "; 0 is for none");
  }
  options.nic.vlan = static_cast<std::uint16_t>(*id);
  return {};
}

Result<void> parse_mtu(const std::string& text, Options& options) {
  const auto bytes = parse_number("--mtu", text, 1280, 9216, "bytes");
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  options.nic.mtu = static_cast<std::uint16_t>(*bytes);
  return {};
}

Result<void> parse_dpdk_eal(const std::string& text, Options& options) {
  options.nic.eal_words.push_back(text);
  return {};
}

Result<void> parse_unix_mode(const std::string& text, Options& options) {
  std::uint64_t mode = 0;
  if (!reads_as(text, mode, 8) || mode > 0777) {
    return fail(fmt::format("-a: '{}' is not an access mode in octal from 0 to 777, such as 700", text));
  }
  options.unix_mode = static_cast<std::uint32_t>(mode);
  return {};
}

Result<void> parse_eviction(const std::string& text, Options& options) {
  const std::optional<EvictionPolicy> policy = policy_named(text);
  if (!policy) {
    std::string names;
    for (const PolicyName& known : kPolicyNames) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
    }
    return fail(fmt::format("--eviction: there is no policy '{}'; say one of {}, or -M for no eviction", text, names));
  }
  options.eviction = *policy;
  return {};
}

Result<void> parse_protocol(const std::string& text, Options& options) {
  if (text == "ascii") {
    options.protocol = Protocol::Text;
  } else if (text == "auto" || text == "auto-negotiate") {
    options.protocol = Protocol::Auto;
  } else if (text == "binary") {
    options.protocol = Protocol::Binary;
  } else {
    return fail(fmt::format("-B: there is no protocol '{}'; say ascii, binary or auto", text));
  }
  return {};
}

Result<void> parse_memory(const std::string& text, Options& options) {
  const auto mib = parse_number("-m", text, 1, kMemoryMibMax, "MiB");
  if (!mib) {
    return fail(mib.error().what + " (for 1 GiB say -m 1024)");
  }
  options.memory_bytes = *mib * kMiB;
  return {};
}

Result<void> parse_item_max(const std::string& text, Options& options) {
  std::uint64_t unit = 1;
  std::string digits = text;
  if (!digits.empty()) {
    const char last = digits.back();
    unit = last == 'k' || last == 'K' ? 1024 : last == 'm' || last == 'M' ? kMiB : 1;
    if (unit != 1) {
      digits.pop_back();
    }
  }
  std::uint64_t count = 0;
  if (!reads_as(digits, count)) {
    return fail(fmt::format("-I: '{}' is not a size; give 1k to 128m, such as 2m, 512k or 1048576", text));
  }
  if (count > kItemBytesMax || count * unit > kItemBytesMax || count * unit < kItemBytesMin) {
    return fail(
        fmt::format("-I {}: out of range; give 1k to 128m (an item is received and sent by one core, so the "
                    "largest is less than memcached's 1024m)",
                    text));
  }
  options.item_bytes_max = static_cast<std::uint32_t>(count * unit);
  return {};
}

Result<void> parse_growth_factor(const std::string& text, Options& options) {
  const auto factor = parse_fraction("-f", text);
  if (!factor) {
    return std::unexpected(factor.error());
  }
  if (*factor <= 1.0 || *factor > 16.0) {
    return fail(fmt::format("-f {}: out of range; give a number greater than 1 and up to 16, such as 1.25", text));
  }
  options.growth_factor = *factor;
  return {};
}

Result<void> parse_workers(const std::string& text, Options& options) {
  const auto workers = parse_number("-t", text, 1, kWorkersMax, "workers");
  if (!workers) {
    return std::unexpected(workers.error());
  }
  options.workers = static_cast<std::uint32_t>(*workers);
  return {};
}

Result<void> parse_cores(const std::string& text, Options& options) {
  auto cores = parse_cpu_list(text);
  if (!cores) {
    return std::unexpected(cores.error());
  }
  options.cores = std::move(*cores);
  return {};
}

Result<void> parse_prefix_delimiter(const std::string& text, Options& options) {
  if (text.size() != 1 || text[0] <= ' ' || text[0] == 0x7f) {
    return fail(fmt::format("-D: '{}' is not one printable character, such as :", text));
  }
  options.prefix_delimiter = text[0];
  options.detail_enabled = true;
  return {};
}

Result<void> parse_hash_seed(const std::string& text, Options& options) {
  const auto seed = parse_number("--hash-seed", text, 1, std::numeric_limits<std::uint64_t>::max(), "");
  if (!seed) {
    return fail(seed.error().what + "; leave it out to have one drawn");
  }
  options.hash_seed = *seed;
  options.notes.push_back(
      "--hash-seed: whoever knows the seed can choose keys that all fall on one worker; use it for tests");
  return {};
}

Result<void> parse_verbose(const std::string& text, Options& options) {
  options.verbosity = static_cast<int>(std::min<std::size_t>(std::stoul(text), 3));
  return {};
}

}  // namespace millrace::config
