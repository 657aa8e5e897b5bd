// From the operator's words about who may connect and what he may ask to a policy for each listener. Cold; main thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"
#include "dataplane/api/endpoint.h"
#include "worker/command_policy.h"

namespace millrace::server {

/// A listener as it was asked for: what rules name it by, and where it is.
struct Door {
  dataplane::Endpoint endpoint;
  std::string host;  ///< of -l or --admin-listen, or the path of -s
  std::uint16_t port = 0;
  bool is_admin = false;
};

/// One policy a door, in their order, then one for what comes over a network card. An error: a rule that names no door
/// or no command.
Result<std::vector<worker::ListenerPolicy>> policies_of(const config::Options& options, const std::vector<Door>& doors);

/// Whether any policy asks for anything: without, no connection is looked at twice.
[[nodiscard]] inline bool has_policies(const config::Options& options) {
  return !options.access.empty() || !options.admin_listen.empty();
}

/// Refuses a door that strangers can reach and that asks nothing of them: no --allow, no password (-Y, -S), no --open.
Result<void> check_open_doors(const config::Options& options, const std::vector<Door>& doors,
                              const std::vector<worker::ListenerPolicy>& policies);

/// The answer to `config get cluster`; empty without --cluster.
std::string cluster_config(const config::Options& options);

}  // namespace millrace::server
