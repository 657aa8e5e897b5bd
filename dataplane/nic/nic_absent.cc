// Of a build without DPDK.
#include "dataplane/nic/nic.h"

namespace millrace::nic {

struct Nic::Parts {};

Nic::Nic(NicOptions options)
    : options_(std::move(options)),
      news_(options_.cpus.size()),
      fragments_(options_.cpus.size(), options_.seed, options_.mtu),
      watch_(spread_, options_.cpus.size()) {}

Nic::~Nic() = default;

Result<std::unique_ptr<Nic>> Nic::open(const NicOptions& options) {
  return fail("--nic " + options.port +
              ": this program was built without DPDK; install libdpdk-dev and build it again with -Ddpdk=enabled");
}

std::unique_ptr<ThreadOfDpdk> Nic::enter_thread() { return nullptr; }

Result<std::unique_ptr<stack::StackTransport>> Nic::transport(std::uint16_t, stack::StackTransportOptions) {
  return fail("there is no network card");  // nobody has a Nic
}

Result<void> Nic::lend(std::span<std::byte>, std::size_t) { return {}; }

Result<void> Nic::wait_for_link(Duration) { return {}; }

Result<void> Nic::tick() { return {}; }

std::optional<std::string> Nic::take_news() { return std::nullopt; }

void Nic::shut_down() {}

}  // namespace millrace::nic
