// The command line, as memcached's users write it, made into Options or into a sentence.
//
// Main thread, once. Reads nothing but its arguments: what it must know of the process is handed in, so that tests and
// the fuzzer run the shipped code. Invariants: 1. no option is ignored in silence: it is obeyed, noted or refused with
// a reason. 2. Every refusal says what would work.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/options.h"

namespace millrace::config {

/// What the process is, for the options whose meaning depends on it.
struct ProcessFacts {
  bool is_root = false;
  bool has_ipv6 = true;
  std::string sasl_pwdb{};  ///< MEMCACHED_SASL_PWDB
};
ProcessFacts read_process_facts();

/// -h, -V, -i: print this and leave with success.
struct ExitText {
  std::string text;
};

using Parsed = std::variant<Options, ExitText>;

/// `words` without the program's name.
Result<Parsed> parse_cli(const std::vector<std::string>& words, const ProcessFacts& process);

/// The addresses to listen on over TCP, ports filled in; loopback when none was named. Empty: no TCP (-p 0 or -s).
std::vector<ListenAddress> listen_addresses(const Options& options, const ProcessFacts& process);
/// The same over UDP; empty without -U.
std::vector<ListenAddress> udp_listen_addresses(const Options& options, const ProcessFacts& process);
/// Each of these addresses once, with worker 0's port of --udp-aim; empty without it.
std::vector<ListenAddress> aim_listen_addresses(const Options& options, const ProcessFacts& process);

}  // namespace millrace::config
