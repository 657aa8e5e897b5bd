#include "base/stale_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace millrace {

namespace {

enum class Owner : std::uint8_t {
  None,      // refused: nobody has bound it
  Somebody,  // or we may not ask
  Unknown,   // no descriptor to ask with
};

/// A datagram socket asks without disturbing: the kernel looks for an owner before it finds that the kinds differ, and
/// a server never sees that somebody came. Only a refusal says that nobody has it: a lack of permission does not.
Owner owner_of(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.data(), path.size());
  const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) {
    return Owner::Unknown;
  }
  const bool is_refused = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                          (errno == ECONNREFUSED || errno == ENOENT);
  close(probe);
  return is_refused ? Owner::None : Owner::Somebody;
}

bool fits(const std::string& path) { return path.size() < sizeof(sockaddr_un::sun_path); }

}  // namespace

bool has_owner(const std::string& path) { return !fits(path) || owner_of(path) != Owner::None; }

Result<void> remove_stale_socket(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    return {};
  }
  if (!S_ISSOCK(status.st_mode)) {
    return fail(
        fmt::format("cannot create the socket {}: a file of that name exists and is no socket; remove it or choose "
                    "another path",
                    path));
  }
  if (!fits(path)) {
    return {};
  }
  switch (owner_of(path)) {
    case Owner::None:
      break;
    case Owner::Somebody:
      return fail(
          fmt::format("cannot listen on {}: another process does already; stop it, or choose another path", path));
    case Owner::Unknown:
      return fail(fmt::format("cannot ask whether somebody has the socket {}: {}", path, std::strerror(errno)));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(fmt::format("cannot remove the stale socket {}: {}", path, std::strerror(errno)));
  }
  return {};
}

}  // namespace millrace
