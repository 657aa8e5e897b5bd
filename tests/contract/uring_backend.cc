// UringTransport on loopback TCP over IPv4 and IPv6, on a unix socket, with zero-copy sends, and with queues so short
// that they are full all the time.
#include <fmt/format.h>
#include <unistd.h>

#include "dataplane/uring/listener.h"
#include "dataplane/uring/uring_transport.h"
#include "tests/contract/backends.h"

namespace millrace::contract {
namespace {

using dataplane::Endpoint;

class UringBackend final : public Backend {
 public:
  explicit UringBackend(Result<Endpoint> listens_at, uring::UringOptions options = {})
      : listens_at_(std::move(listens_at)), options_(std::move(options)) {}

  ~UringBackend() override {
    if (listens_at_ && listens_at_->is_unix()) {
      unlink(listens_at_->text().c_str());
    }
  }

  std::unique_ptr<dataplane::Transport> make(const Wanted& wanted) override {
    if (!listens_at_) {
      fmt::print("{}\n", listens_at_.error().what);
      return nullptr;
    }
    auto listener = uring::open_listener({.endpoint = *listens_at_});
    if (!listener) {
      fmt::print("{}\n", listener.error().what);
      return nullptr;
    }
    bound_ = *uring::bound_endpoint(*listener);
    options_.listeners = {*listener};
    options_.connections_max = wanted.connections_max;
    options_.receive_buffers = wanted.receive_buffers;
    options_.receive_buffer_bytes = wanted.receive_buffer_bytes;
    auto transport = uring::UringTransport::create(options_);
    if (!transport) {
      fmt::print("{}\n", transport.error().what);
      return nullptr;
    }
    return std::move(*transport);
  }

  [[nodiscard]] Endpoint endpoint() const override { return bound_; }
  [[nodiscard]] bool has_resets() const override { return !bound_.is_unix(); }

 private:
  Result<Endpoint> listens_at_;
  uring::UringOptions options_;
  Endpoint bound_{};
};

Result<Endpoint> literal(const char* host) {
  auto found = Endpoint::resolve(host, 0);
  if (!found) {
    return std::unexpected(found.error());
  }
  return found->front();
}

std::string unix_path() {
  static int count = 0;
  return fmt::format("/tmp/millrace_contract_{}_{}.sock", getpid(), ++count);
}

}  // namespace

std::vector<BackendMaker> uring_backends() {
  using Made = std::unique_ptr<Backend>;
  return {{"UringTcp4", [] -> Made { return std::make_unique<UringBackend>(literal("127.0.0.1")); }},
          {"UringTcp6", [] -> Made { return std::make_unique<UringBackend>(literal("::1")); }},
          {"UringUnix", [] -> Made { return std::make_unique<UringBackend>(Endpoint::unix_path(unix_path())); }},
          {"UringZeroCopy",
           [] -> Made {
             return std::make_unique<UringBackend>(
                 literal("127.0.0.1"), uring::UringOptions{.zero_copy_bytes_min = 1, .zero_copy_to_loopback = true});
           }},
          {"UringShortQueues", [] -> Made {
             return std::make_unique<UringBackend>(
                 literal("127.0.0.1"), uring::UringOptions{.submission_entries = 2, .completion_entries = 4});
           }}};
}

}  // namespace millrace::contract
