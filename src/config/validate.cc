#include "config/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace millrace::config {
namespace {

/// sun_path of sockaddr_un, with its terminator.
constexpr std::size_t kUnixPathBytesMax = 107;

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
    return {};
  }
  if (options.tcp_port == 0 && !options.tcp_port_any) {
    return fail("-p 0 turns TCP off and there is no -s, so nobody could connect; give a port or a socket's path");
  }
  const auto open = std::ranges::find_if(options.listen, [](const ListenAddress& a) { return !is_loopback(a.host); });
  if (open != options.listen.end()) {
    options.notes.push_back(
        fmt::format("-l {}: there is no authentication yet; whoever reaches this address can read and "
                    "change everything, so let a firewall decide who does",
                    open->host));
  }
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
  for (const auto& check : {check_listening(options), check_memory(options), check_process(options, process)}) {
    if (!check) {
      return check;
    }
  }
  return {};
}

}  // namespace millrace::config
