#include "config/settings_stats.h"

#include <fmt/format.h>

namespace millrace::config {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string yes_no(bool is) { return is ? "yes" : "no"; }

/// -B in memcached's words.
std::string protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::Text:
      return "ascii";
    case Protocol::Binary:
      return "binary";
    case Protocol::Auto:
      break;
  }
  return "auto-negotiate";
}

/// -l as memcached shows it: the words that were given, or NULL where none were.
std::string interfaces(const Options& options) {
  std::string out;
  for (const ListenAddress& address : options.listen) {
    const bool is_v6 = address.host.find(':') != std::string::npos;
    out += out.empty() ? "" : ",";
    out += is_v6 && address.port != 0 ? fmt::format("[{}]", address.host) : address.host;
    out += address.port != 0 ? fmt::format(":{}", address.port) : "";
  }
  if (out.empty()) {
    return options.unix_path.empty() ? "127.0.0.1,::1" : "NULL";
  }
  return out;
}

void add_asked(Settings& out, const Options& o, std::uint32_t workers, std::uint16_t port) {
  out.emplace_back("maxbytes", fmt::to_string(o.memory_bytes));
  out.emplace_back("maxconns", fmt::to_string(o.connections_max));
  out.emplace_back("tcpport", fmt::to_string(port));
  out.emplace_back("udpport", fmt::to_string(o.udp_port));
  out.emplace_back("inter", interfaces(o));
  out.emplace_back("verbosity", fmt::to_string(o.verbosity));
  out.emplace_back("oldest", "0");
  out.emplace_back("evictions", o.evicts ? "on" : "off");
  out.emplace_back("domain_socket", o.unix_path.empty() ? "NULL" : o.unix_path);
  out.emplace_back("umask", fmt::format("{:o}", o.unix_mode));
  out.emplace_back("shutdown_command", yes_no(o.shutdown_enabled));
  out.emplace_back("growth_factor", fmt::format("{:.2f}", o.growth_factor.value_or(1.10)));
  out.emplace_back("chunk_size", fmt::to_string(o.chunk_bytes_min));
  out.emplace_back("num_threads", fmt::to_string(workers));
  out.emplace_back("num_threads_per_udp", fmt::to_string(o.udp_port == 0 ? 0 : workers));
  out.emplace_back("stat_key_prefix", std::string(1, o.prefix_delimiter));
  out.emplace_back("detail_enabled", yes_no(o.detail_enabled));
  out.emplace_back("cas_enabled", yes_no(o.cas_enabled));
  out.emplace_back("tcp_backlog", fmt::to_string(o.listen_backlog));
  out.emplace_back("binding_protocol", protocol_name(o.protocol.value_or(Protocol::Auto)));
  out.emplace_back("auth_enabled_sasl", yes_no(o.wants_sasl));
  out.emplace_back("auth_enabled_ascii", o.auth_file.empty() ? "no" : o.auth_file);
  out.emplace_back("item_size_max", fmt::to_string(o.item_bytes_max));
  out.emplace_back("maxconns_fast", "yes");
}

/// Names that are about memcached's insides, with what is true of ours; the worker puts in what administrators changed
/// meanwhile. Left out are those that would have to be made up (reqs_per_event, hot_lru_pct, slab_automove_ratio, ...
/// and all of ext_, ssl_ but ssl_enabled).
void add_insides(Settings& out, const Options& o) {
  out.emplace_back("hashpower_init", "0");
  out.emplace_back("slab_reassign", "yes");
  out.emplace_back("slab_automove", "1");
  out.emplace_back("lru_crawler", "yes");
  out.emplace_back("lru_crawler_sleep", "100");
  out.emplace_back("lru_crawler_tocrawl", "0");
  out.emplace_back("tail_repair_time", "0");
  out.emplace_back("flush_enabled", yes_no(o.flush_enabled));
  out.emplace_back("dump_enabled", yes_no(o.dump_enabled));
  out.emplace_back("hash_algorithm", "xxh3");
  out.emplace_back("lru_maintainer_thread", "no");
  out.emplace_back("lru_segmented", "no");
  out.emplace_back("temp_lru", "no");
  out.emplace_back("idle_timeout", fmt::to_string(o.idle_timeout_s));
  out.emplace_back("read_buf_mem_limit", "0");
  out.emplace_back("track_sizes", yes_no(o.tracks_sizes));
  out.emplace_back("inline_ascii_response", "no");
  out.emplace_back("drop_privileges", "no");
  out.emplace_back("ssl_enabled", "no");
  out.emplace_back("num_napi_ids", "(null)");
  out.emplace_back("memory_file", "(null)");
  out.emplace_back("client_flags_size", fmt::to_string(sizeof(std::uint32_t)));
}

}  // namespace

Settings settings_stats(const Options& options, std::uint32_t workers, std::uint16_t port) {
  Settings out;
  add_asked(out, options, workers, port);
  add_insides(out, options);
  return out;
}

Settings settings_stats(const Options& options) {
  return settings_stats(options, options.workers.value_or(0), options.tcp_port);
}

}  // namespace millrace::config
