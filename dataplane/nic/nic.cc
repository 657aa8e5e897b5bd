#include "dataplane/nic/nic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port_spec.h"

namespace millrace::nic {
namespace {

constexpr std::uint64_t kEalBytes = 32ULL << 20;
constexpr std::uint16_t kMtuMin = 1280;  // of IPv6; less is nobody's

}  // namespace

struct Nic::Parts {
  std::unique_ptr<dpdk::Eal> eal;
  std::unique_ptr<dpdk::Device> device;
};

Nic::Nic(NicOptions options)
    : options_(std::move(options)), news_(options_.cpus.size()), parts_(std::make_unique<Parts>()) {}

Nic::~Nic() { shut_down(); }

Result<std::unique_ptr<Nic>> Nic::open(const NicOptions& options) {
  auto spec = dpdk::parse_port_spec(options.port);
  if (!spec) {
    return fail("--nic: " + spec.error().what);
  }
  // Said before anything is started.
  if (auto host = host_addresses(options, {2, 0, 0, 0, 0, 1}); !host) {
    return std::unexpected(host.error());
  }
  if (options.mtu < kMtuMin) {
    return fail(fmt::format("--mtu {}: at least {} bytes are needed; 1500 is what networks carry unless told otherwise",
                            options.mtu, kMtuMin));
  }
  const auto queues = static_cast<std::uint16_t>(options.cpus.size());
  const dpdk::DeviceOptions device_options{
      .mtu = options.mtu, .external_max = options.lend_bytes_min > 0 ? 1024U : 0U, .worker_nodes = options.nodes};
  std::unique_ptr<Nic> nic(new Nic(options));
  auto eal = dpdk::Eal::start({.ports = {*spec},
                               .worker_cpus = options.cpus,
                               .memory_bytes = dpdk::Device::memory_bytes(*spec, queues, device_options) + kEalBytes,
                               .extra = options.eal_words,
                               .log = options.log});
  if (!eal) {
    return std::unexpected(eal.error());
  }
  nic->parts_->eal = std::move(*eal);
  auto device = dpdk::Device::open(*nic->parts_->eal, *spec, queues, device_options);
  if (!device) {
    return std::unexpected(device.error());
  }
  nic->parts_->device = std::move(*device);
  const dpdk::DeviceFacts& facts = nic->parts_->device->facts();
  std::vector<std::string> addresses;
  for (const dataplane::InterfaceAddress& own : options.addresses) {
    addresses.push_back(own.text());
  }
  const port::PortCapabilities& port = nic->parts_->device->port(0).capabilities();
  nic->lines_.push_back(fmt::format("{}: {}, {} queue{}, mtu {}, {:02x}, {}", facts.name, facts.driver, facts.queues,
                                    facts.queues == 1 ? "" : "s", port.mtu, fmt::join(port.mac, ":"),
                                    fmt::join(addresses, ", ")));
  nic->notes_ = facts.notes;
  return nic;
}

std::shared_ptr<void> Nic::enter_thread() { return std::make_shared<dpdk::EalThread>(); }

Result<std::unique_ptr<stack::StackTransport>> Nic::transport(std::uint16_t queue,
                                                              stack::StackTransportOptions options) {
  port::FramePort& port = parts_->device->port(queue);
  auto host = host_addresses(options_, port.capabilities().mac);
  if (!host) {
    return std::unexpected(host.error());
  }
  options.stack = {.seed = options_.seed + queue,
                   .vlan = options_.vlan,
                   .zero_copy_bytes_min = options_.lend_bytes_min,
                   .news = options_.cpus.size() > 1 ? &news_ : nullptr,
                   .core = queue};
  return stack::StackTransport::create(port, *host, options);
}

Result<void> Nic::lend(std::span<std::byte> bytes, std::size_t page_bytes) {
  return parts_->device->register_memory(bytes, page_bytes);
}

Result<void> Nic::tick() { return parts_->device->tick(); }

void Nic::shut_down() {
  if (parts_->device != nullptr) {
    parts_->device->shut_down();
  }
}

}  // namespace millrace::nic
