// UringTransport on loopback TCP over IPv4 and IPv6, on a unix socket, and with zero-copy sends.
#include <fmt/format.h>
#include <unistd.h>

#include "dataplane/uring/listener.h"
#include "dataplane/uring/uring_transport.h"
#include "tests/contract/backend.h"

namespace millrace::contract {
namespace {

using dataplane::Endpoint;

class UringBackend final : public Backend {
 public:
  UringBackend(Result<Endpoint> listens_at, std::uint32_t zero_copy_bytes_min = 0)
      : listens_at_(std::move(listens_at)), zero_copy_bytes_min_(zero_copy_bytes_min) {}

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
    const auto zero_copy_bytes_min = zero_copy_bytes_min_ != 0 ? zero_copy_bytes_min_ : wanted.zero_copy_bytes_min;
    auto transport = uring::UringTransport::create({.listeners = {*listener},
                                                    .connections_max = wanted.connections_max,
                                                    .receive_buffers = wanted.receive_buffers,
                                                    .receive_buffer_bytes = wanted.receive_buffer_bytes,
                                                    .zero_copy_bytes_min = zero_copy_bytes_min,
                                                    .zero_copy_to_loopback = zero_copy_bytes_min != 0});
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
  std::uint32_t zero_copy_bytes_min_;
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

const std::vector<BackendMaker>& backends() {
  static const std::vector<BackendMaker> all = {
      {"UringTcp4", [] -> std::unique_ptr<Backend> { return std::make_unique<UringBackend>(literal("127.0.0.1")); }},
      {"UringTcp6", [] -> std::unique_ptr<Backend> { return std::make_unique<UringBackend>(literal("::1")); }},
      {"UringUnix",
       [] -> std::unique_ptr<Backend> { return std::make_unique<UringBackend>(Endpoint::unix_path(unix_path())); }},
      {"UringZeroCopy",
       [] -> std::unique_ptr<Backend> { return std::make_unique<UringBackend>(literal("127.0.0.1"), 1); }}};
  return all;
}

}  // namespace millrace::contract
