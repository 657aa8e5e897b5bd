// Who may come in, from the options to what the workers are told of it. Main thread, cold.
// Ownership: the caller's; the workers borrow what open_users() returns.
#pragma once

#include <memory>

#include "auth/authenticator.h"
#include "base/result.h"
#include "config/options.h"
#include "protocol/session.h"

namespace millrace::server {

[[nodiscard]] protocol::Speaks speaks_of(const config::Options& options);
[[nodiscard]] protocol::Guard guard_of(const config::Options& options);

/// Null: nobody has to authenticate.
[[nodiscard]] Result<std::unique_ptr<auth::Authenticator>> open_users(const config::Options& options);
/// SIGHUP: connections stay; who logs in from now on is held to the new file, if it is good.
void reload_users(auth::Authenticator& users);

}  // namespace millrace::server
