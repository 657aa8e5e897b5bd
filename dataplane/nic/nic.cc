#include "dataplane/nic/nic.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port_spec.h"
#include "dataplane/dpdk/telemetry.h"
#include "dataplane/port/capture.h"
#include "dataplane/wire/toeplitz.h"

namespace millrace::nic {
namespace {

constexpr std::uint64_t kEalBytes = 32ULL << 20;
constexpr std::uint16_t kMtuMin = 1280;  // of IPv6; less is nobody's

/// Of devices that draw a MAC each time they are made: one that stays, so that neighbours need not find out that a
/// process was started again. It follows from the address, which nobody else on the link has either.
std::optional<port::MacBytes> mac_of(const dpdk::PortSpec& spec, const dataplane::InterfaceAddress& own) {
  if (spec.kind != dpdk::PortKind::Memif && spec.kind != dpdk::PortKind::Vhost &&
      spec.kind != dpdk::PortKind::VirtioUser) {
    return std::nullopt;
  }
  const dataplane::IpBytes& bytes = own.address;
  return port::MacBytes{0x02, 0x4d, bytes[12], bytes[13], bytes[14], bytes[15]};
}

}  // namespace

/// What --telemetry adds: each queue seen through a capture, and a board for each worker's counters.
struct Inside {
  Inside(dpdk::Device& device, std::size_t queues)
      : capture(queues), boards(queues), telemetry(device, capture, boards) {
    for (std::size_t queue = 0; queue < queues; ++queue) {
      ports.emplace_back(device.port(static_cast<std::uint16_t>(queue)), capture.tap(queue));
    }
  }

  port::Capture capture;
  std::deque<port::CapturePort> ports;
  std::vector<dataplane::CounterBoard> boards;
  dpdk::Telemetry telemetry;
};

struct Nic::Parts {
  std::unique_ptr<dpdk::Eal> eal;
  std::unique_ptr<dpdk::Device> device;
  std::unique_ptr<Inside> inside;
};

Nic::Nic(NicOptions options)
    : options_(std::move(options)),
      news_(options_.cpus.size()),
      fragments_(options_.cpus.size(), options_.seed, options_.mtu),
      watch_(spread_, options_.cpus.size()),
      parts_(std::make_unique<Parts>()) {}

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
  const dpdk::DeviceOptions device_options{.mtu = options.mtu,
                                           .external_max = options.lend_bytes_min > 0 ? 1024U : 0U,
                                           .mac = mac_of(*spec, options.addresses.front()),
                                           .has_rx_interrupts = options.may_sleep,
                                           .aim_port = options.aim_port,
                                           .worker_nodes = options.nodes};
  std::unique_ptr<Nic> nic(new Nic(options));
  auto eal = dpdk::Eal::start({.ports = {*spec},
                               .worker_cpus = options.cpus,
                               .memory_bytes = dpdk::Device::memory_bytes(*spec, queues, device_options) + kEalBytes,
                               .has_telemetry = options.has_telemetry,
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
  if (facts.aims_v4 || facts.aims_v6) {
    nic->lines_.push_back(fmt::format("rules of the card lead UDP ports {} to {} to their workers' queues{}",
                                      options.aim_port, options.aim_port + facts.queues - 1,
                                      !facts.aims_v6   ? ", over IPv4 alone"
                                      : !facts.aims_v4 ? ", over IPv6 alone"
                                                       : ""));
  }
  if (facts.rss.table.size() > 0 && facts.rss.key.size() >= wire::kRssKeyBytes) {
    std::copy_n(facts.rss.key.begin(), wire::kRssKeyBytes, nic->spread_.key.begin());
    nic->spread_.table = facts.rss.table;
    nic->spread_.udp4_by_ports = facts.rss.udp4_by_ports;
    nic->spread_.udp6_by_ports = facts.rss.udp6_by_ports;
    nic->spread_.aim_port = options.aim_port;
    nic->spread_.queues = facts.queues;
    nic->spread_.aims_v4 = facts.aims_v4;
    nic->spread_.aims_v6 = facts.aims_v6;
  }
  if (options.has_telemetry) {
    nic->parts_->inside = std::make_unique<Inside>(*nic->parts_->device, queues);
    nic->lines_.push_back("telemetry at " + dpdk::Telemetry::socket_path());
  }
  return nic;
}

std::unique_ptr<ThreadOfDpdk> Nic::enter_thread() {
  struct Entered final : ThreadOfDpdk {
    dpdk::EalThread thread;
  };
  return std::make_unique<Entered>();
}

Result<std::unique_ptr<stack::StackTransport>> Nic::transport(std::uint16_t queue,
                                                              stack::StackTransportOptions options) {
  Inside* inside = parts_->inside.get();
  port::FramePort& port = inside != nullptr ? inside->ports.at(queue) : parts_->device->port(queue);
  options.board = inside != nullptr ? &inside->boards.at(queue) : nullptr;
  auto host = host_addresses(options_, port.capabilities().mac);
  if (!host) {
    return std::unexpected(host.error());
  }
  options.stack = {.seed = options_.seed + queue,
                   .vlan = options_.vlan,
                   .zero_copy_bytes_min = options_.lend_bytes_min,
                   .news = options_.cpus.size() > 1 ? &news_ : nullptr,
                   .core = queue,
                   .fragments = options_.cpus.size() > 1 ? &fragments_ : nullptr,
                   .watch = spread_.is_known() ? &watch_ : nullptr};
  return stack::StackTransport::create(port, *host, options);
}

Result<void> Nic::lend(std::span<std::byte> bytes, std::size_t page_bytes) {
  return parts_->device->register_memory(bytes, page_bytes);
}

Result<void> Nic::wait_for_link(Duration patience) {
  constexpr Duration kLook = milliseconds(10);
  for (Duration waited{}; waited < patience; waited = waited + kLook) {
    if (auto ticked = tick(); !ticked) {
      return ticked;
    }
    if (parts_->device->port(0).link() == port::LinkState::Up) {
      return {};
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLook.ns));
  }
  return fail(fmt::format("{}: nobody is at the other end; start the peer first, or look at the cable", options_.port));
}

Result<void> Nic::tick() { return parts_->device->tick(); }

std::optional<std::string> Nic::take_news() {
  if (has_told_spread_ || !spread_.is_known()) {
    return std::nullopt;
  }
  auto said = watch_.verdict();
  has_told_spread_ = said.has_value();
  return said;
}

void Nic::shut_down() {
  parts_->inside.reset();
  if (parts_->device != nullptr) {
    parts_->device->shut_down();
  }
}

}  // namespace millrace::nic
