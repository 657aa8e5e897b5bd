#include "bench/load/report/facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "bench/load/workload_options.h"

namespace millrace::load {
namespace {

constexpr std::size_t kAnswerBytesMax = 256 << 10;
constexpr std::string_view kQuestion = "version\r\nstats settings\r\n";

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::uint64_t at_least_0(long value) { return value < 0 ? 0 : static_cast<std::uint64_t>(value); }

/// A socket of its own for one question, with a deadline for all of it.
class Question {
 public:
  Question(const dataplane::Endpoint& server, Duration patience)
      : deadline_(clock_.now() + patience),
        socket_(socket(server.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (socket_ < 0 ||
        (connect(socket_, reinterpret_cast<const sockaddr*>(&server.address), server.address_bytes) != 0 &&
         errno != EINPROGRESS)) {
      failure_ = std::strerror(errno);
    }
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() {
    if (socket_ >= 0) {
      ::close(socket_);
    }
  }

  /// The answer up to and with the line that ends it; nothing: failure() says why.
  std::optional<std::string> ask(std::string_view question, std::string_view last_line) {
    std::string answer;
    if (!failure_.empty() || !wait_for(POLLOUT)) {
      return std::nullopt;
    }
    if (send(socket_, question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size())) {
      failure_ = std::strerror(errno);
      return std::nullopt;
    }
    std::array<char, 16384> bytes;
    while (!answer.ends_with(last_line)) {
      if (!wait_for(POLLIN)) {
        return std::nullopt;
      }
      const ssize_t count = recv(socket_, bytes.data(), bytes.size(), 0);
      answer.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      if (count <= 0 || answer.size() > kAnswerBytesMax || answer.contains("ERR")) {
        failure_ = count < 0 ? std::strerror(errno) : "It answered with something else.";
        return std::nullopt;
      }
    }
    // JSON is UTF-8, and nobody knows what this is.
    std::ranges::replace_if(answer, [](char c) { return (c < ' ' && c != '\r' && c != '\n') || c > '~'; }, '?');
    return answer;
  }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  bool wait_for(short what) {
    pollfd descriptor{.fd = socket_, .events = what, .revents = 0};
    const Duration left = std::max(deadline_ - clock_.now(), Duration{});
    if (poll(&descriptor, 1, static_cast<int>(left.ns / 1'000'000)) <= 0) {
      failure_ = "It did not answer in time.";
      return false;
    }
    return true;
  }

  SystemClock clock_;
  Instant deadline_;
  int socket_;
  std::string failure_;
};

}  // namespace

Json generator_facts(const Options& options) {
  utsname system{};
  uname(&system);
  Json cores{Json::Array{}};
  for (const std::uint32_t core : options.cores) {
    cores.push(core);
  }
  Json json;
  json.add("version", MILLRACE_VERSION).add("host", system.nodename);
  json.add("kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine));
  json.add("cpu", cpu_model()).add("cpus", at_least_0(sysconf(_SC_NPROCESSORS_ONLN)));
  json.add("memory_bytes", at_least_0(sysconf(_SC_PHYS_PAGES)) * at_least_0(sysconf(_SC_PAGESIZE)));
  json.add("threads", options.threads).add("cores", std::move(cores)).add("connections", options.connections);
  json.add("depth", options.depth).add("timeout_s", options.timeout_s).add("warmup_s", options.warmup_s);
  json.add("seconds", options.seconds ? Json(*options.seconds) : Json());
  json.add("requests", options.requests ? Json(*options.requests) : Json());
  json.add("rounds", options.rounds).add("interval_s", options.interval_s).add("seed", options.seed);
  if (options.rate_per_s) {
    json.add("rate_per_s", *options.rate_per_s);
  }
  if (options.rate_per_s || options.finds_knee) {
    json.add("arrivals", arrivals_name(options.arrivals)).add("idling", idling_name(options.idling));
  }
  return json;
}

Json workload_facts(const Options& options) {
  Json json{Json::Object{}};
  for (auto& [name, words] : describe_workload(options)) {
    json.add(name, words);
  }
  return json;
}

Json server_facts_beyond(const dataplane::Endpoint& server, const std::string& nic) {
  Json json;
  json.add("address", server.text());
  return json.add("unanswered", fmt::format("It is reached by {} alone, and not asked over TCP.", nic));
}

Json server_facts(const dataplane::Endpoint& server, Duration patience) {
  Json json;
  json.add("address", server.text());
  Question question(server, patience);
  const auto answer = question.ask(kQuestion, "END\r\n");
  if (!answer) {
    return json.add("unanswered", question.failure());
  }
  Json settings{Json::Object{}};
  std::string version;
  std::string_view rest = *answer;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("\r\n"), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 2, rest.size()));
    if (line.starts_with("VERSION ")) {
      version = line.substr(8);
    } else if (const std::size_t space = line.find(' ', 5); line.starts_with("STAT ") && space != line.npos) {
      settings.add(std::string(line.substr(5, space - 5)), line.substr(space + 1));
    }
  }
  return json.add("version", version).add("settings", std::move(settings));
}

}  // namespace millrace::load
