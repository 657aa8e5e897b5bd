#include "auth/authenticator.h"

namespace millrace::auth {

Result<std::unique_ptr<Authenticator>> Authenticator::open(std::string path) {
  const auto credentials = read_credentials(path.c_str());
  if (!credentials) {
    return std::unexpected(credentials.error());
  }
  return std::unique_ptr<Authenticator>(
      new Authenticator(std::move(path), std::make_shared<const Credentials>(*credentials)));
}

bool Authenticator::admits(std::string_view user, std::string_view password) const noexcept {
  return current_.load(std::memory_order_acquire)->admits(user, password);
}

Result<std::size_t> Authenticator::reload() {
  const auto credentials = read_credentials(path_.c_str());
  if (!credentials) {
    return std::unexpected(credentials.error());
  }
  current_.store(std::make_shared<const Credentials>(*credentials), std::memory_order_release);
  return credentials->users();
}

}  // namespace millrace::auth
