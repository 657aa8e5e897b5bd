#include "auth/credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace millrace::auth {
namespace {

/// Memory that held secrets; the compiler may not leave the writing out.
void wipe(void* at, std::size_t bytes) noexcept { explicit_bzero(at, bytes); }

[[nodiscard]] std::string_view without_carriage_return(std::string_view line) noexcept {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

bool are_equal(const char* a, const char* b, std::size_t bytes) noexcept {
  unsigned char difference = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    asm volatile("" : "+r"(difference));  // no early way out may be made of this
  }
  return difference == 0;
}

void Credentials::Word::set(std::string_view text) noexcept {
  bytes.fill('\0');
  std::memcpy(bytes.data(), text.data(), text.size());
}

Credentials::~Credentials() { wipe(entries_.data(), sizeof(entries_)); }

Result<Credentials> Credentials::parse(std::string_view text) {
  Credentials all;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = without_carriage_return(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t colon = line.find(':');
    if (line.find('\0') != std::string_view::npos || colon == std::string_view::npos) {
      return fail(fmt::format("line {} is not 'user:password'", number));
    }
    if (colon == 0 || colon + 1 == line.size()) {
      return fail(fmt::format("line {}: {} is empty; write 'user:password'", number,
                              colon == 0 ? "the user's name" : "the password"));
    }
    if (line.size() > kLineBytesMax) {
      return fail(fmt::format("line {} has {} bytes, and user and password together may have {}", number, line.size(),
                              kLineBytesMax - 1));
    }
    if (all.count_ == kUsersMax) {
      return fail(fmt::format("it has more than {} users, which is the most there can be", kUsersMax));
    }
    Entry& entry = all.entries_[all.count_++];
    entry.user.set(line.substr(0, colon));
    entry.password.set(line.substr(colon + 1));
  }
  if (all.count_ == 0) {
    return fail("it is empty, so nobody could log in; write 'user:password' lines");
  }
  return all;
}

bool Credentials::admits(std::string_view user, std::string_view password) const noexcept {
  if (user.empty() || password.empty() || user.size() > kLineBytesMax || password.size() > kLineBytesMax ||
      user.find('\0') != std::string_view::npos || password.find('\0') != std::string_view::npos) {
    return false;
  }
  Entry given;
  given.user.set(user);
  given.password.set(password);
  unsigned admitted = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const auto is_user = static_cast<unsigned>(
        are_equal(entries_[i].user.bytes.data(), given.user.bytes.data(), given.user.bytes.size()));
    const auto is_password = static_cast<unsigned>(
        are_equal(entries_[i].password.bytes.data(), given.password.bytes.data(), given.password.bytes.size()));
    admitted |= is_user & is_password;
  }
  wipe(&given, sizeof(given));
  return admitted != 0;
}

Result<Credentials> read_credentials(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe somebody forgot does not hold the start up
  if (file < 0) {
    return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  constexpr std::size_t kRoom = kFileBytesMax + 1;
  const auto text = std::make_unique<char[]>(kRoom);
  std::size_t used = 0;
  ssize_t got = 0;
  while (used < kRoom && (got = read(file, text.get() + used, kRoom - used)) > 0) {
    used += static_cast<std::size_t>(got);
  }
  const int error = errno;
  close(file);
  auto parsed = [&]() -> Result<Credentials> {
    if (got < 0) {
      return fail(fmt::format("cannot read {}: {}", path, std::strerror(error)));
    }
    if (used == kRoom) {
      return fail(
          fmt::format("{} has more than {} bytes; it should hold a few 'user:password' lines", path, kFileBytesMax));
    }
    auto credentials = Credentials::parse({text.get(), used});
    return credentials ? credentials : fail(fmt::format("{}: {}", path, credentials.error().what));
  }();
  wipe(text.get(), kRoom);
  return parsed;
}

}  // namespace millrace::auth
