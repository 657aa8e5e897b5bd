// What a result says of its two ends, so that it can be judged and repeated later. Cold, main thread.
#pragma once

#include "base/time.h"
#include "bench/load/options.h"
#include "bench/load/report/json.h"
#include "dataplane/api/endpoint.h"

namespace millrace::load {

/// This machine (host, kernel, processor, memory) and how the generator was set up on it.
[[nodiscard]] Json generator_facts(const Options& options);

/// The workload in words, as an object.
[[nodiscard]] Json workload_facts(const Options& options);

/// `address`, and, when the server answers within `patience` over a connection of its own, its `version` and
/// `stats settings`; else `unanswered` says why not. A server that answers something else is no error.
[[nodiscard]] Json server_facts(const dataplane::Endpoint& server, Duration patience);

/// Of a server that only the card `nic` reaches: its address. Its facts are asked for over TCP, by the kernel.
[[nodiscard]] Json server_facts_beyond(const dataplane::Endpoint& server, const std::string& nic);

}  // namespace millrace::load
