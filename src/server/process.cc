#include "server/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace millrace::server {
namespace {

// Ring, eventfd, listeners and epoll-like helpers of one worker; standard streams, pid file, name service.
constexpr std::uint64_t kDescriptorsPerWorker = 16;
constexpr std::uint64_t kDescriptorsOfProcess = 32;

std::string reason() { return std::strerror(errno); }

}  // namespace

Result<void> raise_descriptor_limit(std::uint32_t connections, std::uint32_t workers) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return fail(fmt::format("cannot read the limit of open files: {}", reason()));
  }
  const rlim_t needed = connections + workers * kDescriptorsPerWorker + kDescriptorsOfProcess;
  if (limit.rlim_cur >= needed) {
    return {};
  }
  rlimit wanted{.rlim_cur = needed, .rlim_max = std::max<rlim_t>(needed, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
    return {};
  }
  wanted = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &wanted);
  return fail(
      fmt::format("-c {} needs {} open files and this process may have {}: accepting will pause when they run out. "
                  "Raise the limit (ulimit -n, LimitNOFILE=) or lower -c",
                  connections, needed, limit.rlim_max));
}

Result<void> raise_core_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  const rlimit unlimited{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (setrlimit(RLIMIT_CORE, &unlimited) != 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
  }
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_cur == 0) {
    return fail("-r: core files are not allowed here: raise the hard limit (ulimit -H -c, LimitCORE=)");
  }
  return {};
}

Result<Background> Background::enter() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail(fmt::format("-d: no pipe: {}", reason()));
  }
  const pid_t child = fork();
  if (child < 0) {
    return fail(fmt::format("-d: cannot fork: {}", reason()));
  }
  if (child > 0) {
    close(ends[1]);
    char serves = 0;
    if (read(ends[0], &serves, 1) == 1) {
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  close(ends[0]);
  Background background(ends[1]);
  if (setsid() < 0 || chdir("/") != 0) {
    return fail(fmt::format("-d: cannot leave the terminal: {}", reason()));
  }
  return background;
}

Background::~Background() {
  if (parent_ >= 0) {
    close(parent_);
  }
}

Result<void> Background::settle() {
  if (parent_ < 0) {
    return {};
  }
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) {
    return fail(fmt::format("-d: cannot leave the terminal: {}", reason()));
  }
  if (null > 2) {
    close(null);
  }
  // A parent that was killed meanwhile misses nothing.
  [[maybe_unused]] const ssize_t told = write(parent_, "", 1);
  close(std::exchange(parent_, -1));
  return {};
}

Result<void> become_user(const std::string& user, const std::string& unix_path) {
  if (geteuid() != 0 || user.empty() || user == "root") {
    return {};
  }
  errno = 0;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    return fail(fmt::format("-u {}: there is no such user", user));
  }
  if (!unix_path.empty() && chown(unix_path.c_str(), entry->pw_uid, entry->pw_gid) != 0) {
    return fail(fmt::format("-u {}: cannot give {} to that user: {}", user, unix_path, reason()));
  }
  if (setgroups(0, nullptr) != 0 || setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0) {
    return fail(fmt::format("-u {}: cannot become that user: {}", user, reason()));
  }
  return {};
}

Result<PidFile> PidFile::create(const std::string& path) {
  // Beside it first, then renamed: a reader never sees half a number.
  const std::string fresh = path + ".new";
  std::FILE* file = std::fopen(fresh.c_str(), "we");
  if (file == nullptr) {
    return fail(fmt::format("-P {}: cannot write: {}", path, reason()));
  }
  std::fprintf(file, "%ld\n", static_cast<long>(getpid()));
  if (std::fclose(file) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0) {
    return fail(fmt::format("-P {}: cannot write: {}", path, reason()));
  }
  return PidFile{path};
}

PidFile::~PidFile() {
  if (!path_.empty()) {
    unlink(path_.c_str());
  }
}

}  // namespace millrace::server
