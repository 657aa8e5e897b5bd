// The appliance: plans, builds one worker a core, opens the doors when all are ready, and closes them in order.
//
// Thread: run() on the main thread; it starts one thread a worker and waits for signals. Ownership: owns everything;
// the order of destruction is the reverse of the order of building (server.cc).
#pragma once

#include "base/result.h"
#include "config/options.h"

namespace millrace::server {

/// Serves until SIGTERM, SIGINT, SIGUSR1 or the `shutdown` command; then the process's exit status. An error: a
/// sentence why it could not start.
Result<int> run(const config::Options& options);

}  // namespace millrace::server
