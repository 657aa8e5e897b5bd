#include "server/users.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <filesystem>

namespace millrace::server {

protocol::Speaks speaks_of(const config::Options& options) {
  switch (options.protocol.value_or(config::Protocol::Auto)) {
    case config::Protocol::Text:
      return protocol::Speaks::Text;
    case config::Protocol::Binary:
      return protocol::Speaks::Binary;
    case config::Protocol::Auto:
      break;
  }
  return protocol::Speaks::Auto;
}

protocol::Guard guard_of(const config::Options& options) {
  if (options.wants_sasl) {
    return protocol::Guard::Sasl;
  }
  return options.auth_file.empty() ? protocol::Guard::None : protocol::Guard::Login;
}

Result<std::unique_ptr<auth::Authenticator>> open_users(const config::Options& options) {
  if (!options.has_authentication()) {
    return nullptr;
  }
  // A daemon's folder is another when it reads the file again.
  const std::filesystem::path path = options.wants_sasl ? options.sasl_pwdb : options.auth_file;
  auto opened = auth::Authenticator::open(std::filesystem::absolute(path).string());
  if (!opened) {
    return fail(fmt::format("{}: {}", options.wants_sasl ? "-S" : "-Y", opened.error().what));
  }
  return opened;
}

void reload_users(auth::Authenticator& users) {
  if (const auto count = users.reload(); !count) {
    spdlog::error("SIGHUP: {}; the users from before stay", count.error().what);
  } else {
    spdlog::info("SIGHUP: {}: {} user{}", users.path(), *count, *count == 1 ? "" : "s");
  }
}

}  // namespace millrace::server
