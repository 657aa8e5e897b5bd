// A device on rings of its own program: what it says of itself, resets under a worker's feet, removal, and that
// everything lent and taken comes back.
#include "dataplane/dpdk/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "dataplane/dpdk/gate.h"

/// The thread sanitizer sees what DPDK's libraries do to memory and not how their threads agree upon it.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT: its name
  return "race:librte_\n";
}

namespace millrace::dpdk {
namespace {

using buf::Packet;
using port::LinkState;
using ::testing::Contains;
using ::testing::HasSubstr;

PortSpec spec(std::string_view text) { return parse_port_spec(text).value_or(PortSpec{}); }

class DeviceTest : public testing::Test {
 protected:
  static Eal& eal() {
    static const auto started = [] {
      auto made = Eal::start({.memory_bytes = 128 << 20, .uses_huge_pages = false});
      EXPECT_TRUE(made) << made.error().what;
      return std::move(*made);
    }();
    return *started;
  }
  static std::unique_ptr<Device> open(const char* text, std::uint16_t queues, DeviceOptions options = {}) {
    options.buffers = 2048;
    options.external_max = 32;
    auto device = Device::open(eal(), spec(text), queues, options);
    EXPECT_TRUE(device) << device.error().what;
    return device ? std::move(*device) : nullptr;
  }
  static Packet packet_of(port::FramePort& port, std::uint16_t bytes) {
    Packet packet;
    EXPECT_EQ(port.alloc({&packet, 1}), 1U);
    std::memset(packet.append(bytes).data(), 1, bytes);
    return packet;
  }
};

TEST_F(DeviceTest, ThreadsKeepTheirCpus) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  (void)eal();
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  std::thread([&] {
    const EalThread known;
    EXPECT_TRUE(known.is_known());
    EXPECT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }).join();
}

TEST_F(DeviceTest, StartsOnceAProcess) {
  (void)eal();
  const auto second = Eal::start({});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("once in a process"));
  const auto help = Eal::start({.extra = {"--help"}});
  ASSERT_FALSE(help);
  EXPECT_THAT(help.error().what, HasSubstr("would end the process"));
}

TEST_F(DeviceTest, SaysWhatCannotBeHad) {
  const auto refusal = [](const char* text, std::uint16_t queues, const DeviceOptions& options = {}) {
    const auto device = Device::open(eal(), spec(text), queues, options);
    EXPECT_FALSE(device) << text;
    return device ? "" : device.error().what;
  };
  EXPECT_THAT(refusal("ethdev:nobody", 1), HasSubstr("port ethdev:nobody: there is no such device"));
  EXPECT_THAT(refusal("03:00.0", 1), HasSubstr("vfio-pci"));
  EXPECT_THAT(refusal("ring:1", 0), HasSubstr("at least one queue"));
  EXPECT_THAT(refusal("ring:1", 17), HasSubstr("it has 16 queue pairs, and 17 workers want one each"));
  EXPECT_THAT(refusal("vdev:net_nothing0", 1),
              testing::AllOf(HasSubstr("its driver refuses it (net_nothing0,)"), HasSubstr("; DPDK said: ")));
  EXPECT_THAT(refusal("03:00.0", 1), testing::Not(HasSubstr("DPDK said"))) << "that was about another device";
  EXPECT_THAT(refusal("ring:1", 1, {.mtu = 30}), HasSubstr("it takes an MTU from 46"));
  EXPECT_THAT(refusal("ring:1", 2, {.buffers = 1U << 20}), HasSubstr("no memory for 1048576 packets of queue 0"));
  EXPECT_NE(open("ring:1", 2), nullptr) << "what failed left something behind";
}

TEST_F(DeviceTest, TellsItsFacts) {
  const auto device = open("ring:2", 2);
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->facts().driver, "net_ring");
  EXPECT_EQ(device->facts().queues, 2);
  EXPECT_GE(device->facts().rx_descriptors, 64);
  EXPECT_TRUE(device->facts().rss.table.empty());
  EXPECT_THAT(device->facts().notes, Contains(HasSubstr("no table of flows")));
  const auto null = open("null", 4);
  ASSERT_NE(null, nullptr);
  ASSERT_EQ(null->facts().rss.table.size(), 128U);
  EXPECT_EQ(null->facts().rss.table[5], 1);
}

TEST_F(DeviceTest, FramesKeepToTheirQueue) {
  const auto device = open("ring:3", 2);
  ASSERT_NE(device, nullptr);
  for (std::uint16_t q = 0; q < 2; ++q) {
    Packet packet = packet_of(device->port(q), static_cast<std::uint16_t>(100 + q));
    ASSERT_EQ(device->port(q).tx_burst({}, {&packet, 1}), 1U);
  }
  for (std::uint16_t q = 0; q < 2; ++q) {
    Packet packets[4];
    ASSERT_EQ(device->port(q).rx_burst({}, packets), 1U);
    EXPECT_EQ(packets[0].size(), 100U + q);
    EXPECT_EQ(packets[0].rx.queue, q);
  }
  EXPECT_EQ(device->mbufs_outstanding(), 0U);
}

TEST_F(DeviceTest, PadsShortFrames) {
  const auto device = open("ring:4", 1);
  ASSERT_NE(device, nullptr);
  port::FramePort& port = device->port(0);
  const std::byte lent[20] = {std::byte{7}};
  Packet both[2] = {packet_of(port, 20), packet_of(port, 30)};
  ASSERT_EQ(port.attach(both[1], lent, 5), Status::Ok);
  ASSERT_EQ(port.tx_burst({}, both), 2U);
  Packet got[2];
  ASSERT_EQ(port.rx_burst({}, got), 2U);
  for (const Packet& packet : got) {
    EXPECT_EQ(packet.size(), 60U);
    EXPECT_FALSE(packet.is_chain());
    EXPECT_EQ(packet.first()[59], std::byte{0});
  }
  EXPECT_EQ(got[1].first()[30], std::byte{7});
  std::uint64_t token = 0;
  EXPECT_EQ(port.take_released({&token, 1}), 1U);
  EXPECT_EQ(token, 5U);
}

TEST_F(DeviceTest, LentBytesComeBackWhoeverDropsThem) {
  const auto device = open("ring:5", 1);
  ASSERT_NE(device, nullptr);
  port::FramePort& port = device->port(0);
  std::vector<std::byte> lent(200);
  std::vector<Packet> packets;
  for (std::uint64_t token = 0; token < 32; ++token) {
    packets.push_back(packet_of(port, 60));
    ASSERT_EQ(port.attach(packets.back(), lent, token), Status::Ok);
  }
  Packet more = packet_of(port, 60);
  EXPECT_EQ(port.attach(more, lent, 99), Status::Exhausted);
  more = Packet{};
  // Half of them are dropped by a thread that is not the worker: a driver's, say.
  std::thread([&] {
    const EalThread known;
    buf::release_burst(std::span(packets).first(16));
  }).join();
  buf::release_burst(packets);
  std::set<std::uint64_t> told;
  std::uint64_t tokens[5];
  for (std::size_t count = 5; count > 0;) {
    count = port.take_released(tokens);
    told.insert(tokens, tokens + count);
  }
  EXPECT_EQ(told.size(), 32U);
  EXPECT_EQ(device->mbufs_outstanding(), 0U);
}

TEST_F(DeviceTest, TakesMemoryForDevicesAndLetsItGo) {
  const auto device = open("ring:6", 1);
  ASSERT_NE(device, nullptr);
  constexpr std::size_t kBytes = 1 << 20;
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const std::span<std::byte> bytes(static_cast<std::byte*>(memory), kBytes);
  for (int again = 0; again < 2; ++again) {
    const auto taken = device->register_memory(bytes, 4096);
    ASSERT_TRUE(taken) << taken.error().what;
    const auto gone = device->unregister_memory(bytes);
    ASSERT_TRUE(gone) << gone.error().what;
  }
  EXPECT_FALSE(device->unregister_memory(bytes));
  EXPECT_THAT(device->register_memory(bytes.subspan(1), 4096).error().what, HasSubstr("memory for devices"));
  ::munmap(memory, kBytes);
}

TEST_F(DeviceTest, ShutDownItTakesNothingAndGivesWhatItOwes) {
  const auto device = open("null", 1);
  ASSERT_NE(device, nullptr);
  Packet held = packet_of(device->port(0), 60);
  device->shut_down();
  EXPECT_EQ(device->port(0).link(), LinkState::Removed);
  EXPECT_EQ(device->port(0).tx_burst({}, {&held, 1}), 0U);
  EXPECT_EQ(device->mbufs_outstanding(), 1U);
  held = Packet{};
  EXPECT_EQ(device->mbufs_outstanding(), 0U);
  EXPECT_TRUE(device->tick());
}

/// The guest's end of a virtio queue pair is woken by the host's; the host's end says that it cannot be.
TEST_F(DeviceTest, SleepsUntilAFrameComes) {
  const auto folder = std::filesystem::temp_directory_path() / ("dpdk_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  {
    const std::string path = folder / "s";
    const auto host = open(("vhost:" + path).c_str(), 1, {.has_rx_interrupts = true});
    const auto guest =
        host == nullptr ? nullptr : open(("virtio-user:" + path).c_str(), 1, {.has_rx_interrupts = true});
    ASSERT_NE(guest, nullptr);
    for (int i = 0; i < 300 && host->port(0).link() != LinkState::Up; ++i) {
      ASSERT_TRUE(host->tick());
      ::usleep(10'000);
    }
    const auto is_readable = [](int fd, int wait_ms) {
      pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
      return ::poll(&one, 1, wait_ms) > 0;
    };
    EXPECT_LT(host->port(0).arm_rx(), 0);
    for (int round = 0; round < 3; ++round) {
      Packet got[2];
      ASSERT_EQ(guest->port(0).rx_burst({}, got), 0U);
      const int descriptor = guest->port(0).arm_rx();
      ASSERT_GE(descriptor, 0);
      EXPECT_FALSE(is_readable(descriptor, 10));
      Packet one = packet_of(host->port(0), 100);
      ASSERT_EQ(host->port(0).tx_burst({}, {&one, 1}), 1U);
      EXPECT_TRUE(is_readable(descriptor, 2000));
      guest->port(0).disarm_rx();
      EXPECT_EQ(guest->port(0).rx_burst({}, got), 1U);
    }
  }
  std::filesystem::remove_all(folder);
}

/// A datagram whose checksum the device was asked for: the other end is told that it is good, or it is.
TEST_F(DeviceTest, DevicesFillAndVouchForChecksums) {
  const auto folder = std::filesystem::temp_directory_path() / ("dpdk_sums_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  {
    const std::string path = folder / "s";
    const auto host = open(("vhost:" + path).c_str(), 1);
    const auto guest = host == nullptr ? nullptr : open(("virtio-user:" + path).c_str(), 1);
    ASSERT_NE(guest, nullptr);
    for (int i = 0; i < 300 && host->port(0).link() != LinkState::Up; ++i) {
      ASSERT_TRUE(host->tick());
      ::usleep(10'000);
    }
    // 10.9.0.1 to 10.9.0.2, ports 7 and 9, 22 bytes of zeros. The header's sum is right; the datagram's is the pseudo
    // header's alone: 0a09 + 0001 + 0a09 + 0002 + 0011 + 001e.
    constexpr std::uint8_t kFrame[64] = {2,    0, 0,  0,  0, 2, 2, 0, 0,  0,  0,    1,    8,    0,
                                         0x45, 0, 0,  50, 0, 0, 0, 0, 64, 17, 0x66, 0xa8, 10,   9,
                                         0,    1, 10, 9,  0, 2, 0, 7, 0,  9,  0,    0x1e, 0x14, 0x44};
    for (const auto& [from, to] : {std::pair(guest.get(), host.get()), std::pair(host.get(), guest.get())}) {
      if (!from->port(0).capabilities().tx_udp_checksum || !to->port(0).capabilities().rx_l4_checksum) {
        continue;
      }
      Packet one;
      ASSERT_EQ(from->port(0).alloc({&one, 1}), 1U);
      std::memcpy(one.append(sizeof kFrame).data(), kFrame, sizeof kFrame);
      one.tx = {.l2_bytes = 14, .l3_bytes = 20, .fill_udp_checksum = true};
      ASSERT_EQ(from->port(0).tx_burst({}, {&one, 1}), 1U) << from->facts().driver;
      Packet got[2];
      ASSERT_EQ(to->port(0).rx_burst({}, got), 1U);
      std::uint32_t sum = 0x0a09 + 0x0001 + 0x0a09 + 0x0002 + 0x0011 + 0x001e;
      for (std::size_t i = 34; i < 64; i += 2) {
        sum += static_cast<std::uint32_t>(got[0].first()[i]) << 8 | static_cast<std::uint32_t>(got[0].first()[i + 1]);
      }
      sum = (sum & 0xffff) + (sum >> 16);
      EXPECT_TRUE(got[0].rx.l4_checksum == buf::ChecksumState::Good || (sum & 0xffff) + (sum >> 16) == 0xffff)
          << from->facts().driver << " " << static_cast<int>(got[0].rx.l4_checksum) << " " << std::hex << sum;
      EXPECT_NE(got[0].rx.l4_checksum, buf::ChecksumState::Bad);
    }
    EXPECT_TRUE(guest->port(0).capabilities().tx_udp_checksum || host->port(0).capabilities().tx_udp_checksum);
  }
  std::filesystem::remove_all(folder);
}

/// A peer that goes is a link that is down, and one that comes is served.
TEST_F(DeviceTest, APeerMayGoAndComeAgain) {
  const auto folder = std::filesystem::temp_directory_path() / ("dpdk_peer_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "s";
  {
    const auto server = open(("memif:" + path + ",server").c_str(), 1);
    ASSERT_NE(server, nullptr);
    const auto await = [&](LinkState wanted) {
      for (int i = 0; i < 300 && server->port(0).link() != wanted; ++i) {
        ASSERT_TRUE(server->tick());
        ::usleep(10'000);
      }
      ASSERT_EQ(server->port(0).link(), wanted);
    };
    Packet kept = packet_of(server->port(0), 100);
    EXPECT_EQ(server->port(0).tx_burst({}, {&kept, 1}), 0U) << "there is nobody yet";
    for (int round = 0; round < 3; ++round) {
      auto client = open(("memif:" + path).c_str(), 1);
      ASSERT_NE(client, nullptr);
      await(LinkState::Up);
      ASSERT_TRUE(client->tick());
      Packet one = packet_of(client->port(0), 100);
      ASSERT_EQ(client->port(0).tx_burst({}, {&one, 1}), 1U);
      Packet got[2];
      ASSERT_EQ(server->port(0).rx_burst({}, got), 1U);
      EXPECT_EQ(got[0].size(), 100U);
      client->shut_down();
      await(LinkState::Down);
      EXPECT_EQ(server->port(0).tx_burst({}, {got, 1}), 0U);
    }
    kept = Packet{};
    EXPECT_EQ(server->mbufs_outstanding(), 0U);
  }
  std::filesystem::remove_all(folder);
}

/// Workers send and receive while the control thread resets the device again and again.
TEST_F(DeviceTest, IsResetUnderWorkersFeet) {
  constexpr std::uint16_t kQueues = 2;
  constexpr std::uint64_t kResets = 20;
  const auto device = open("ring:8", kQueues);
  ASSERT_NE(device, nullptr);
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> passed[kQueues] = {};
  std::vector<std::thread> workers;
  for (std::uint16_t q = 0; q < kQueues; ++q) {
    workers.emplace_back([&, q] {
      const EalThread known;
      port::FramePort& port = device->port(q);
      std::vector<std::byte> lent(100);
      Packet packets[8];
      while (!is_over.load(std::memory_order_relaxed)) {
        const std::size_t count = port.alloc(packets);
        for (Packet& packet : std::span(packets).first(count)) {
          std::memset(packet.append(60).data(), 1, 60);
          (void)port.attach(packet, lent, 1);
        }
        (void)port.tx_burst({}, std::span(packets).first(count));
        buf::release_burst(packets);
        passed[q].fetch_add(port.rx_burst({}, packets), std::memory_order_relaxed);
        buf::release_burst(packets);
        std::uint64_t tokens[16];
        while (port.take_released(tokens) == 16) {
        }
        (void)port.link();
      }
      for (std::size_t count = 1; count > 0;) {  // what is left in the ring
        count = port.rx_burst({}, packets);
        buf::release_burst(packets);
      }
    });
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (device->resets() < kResets && std::chrono::steady_clock::now() < end) {
    const std::uint64_t before = passed[0] + passed[1];
    device->request_reset();
    for (const std::uint64_t resets = device->resets();
         device->resets() == resets && std::chrono::steady_clock::now() < end;) {
      ASSERT_TRUE(device->tick());
      std::this_thread::yield();
    }
    while (passed[0] + passed[1] < before + 100 && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
  }
  is_over = true;
  for (std::thread& worker : workers) {
    worker.join();
  }
  EXPECT_EQ(device->resets(), kResets);
  EXPECT_EQ(device->port(0).link(), LinkState::Up);
  EXPECT_EQ(device->mbufs_outstanding(), 0U);
}

TEST(Gate, IsAcknowledgedByTheOneThatAsksAndForThisTimeOnly) {
  Gate gate;
  EXPECT_EQ(gate.link(), LinkState::Down);
  gate.set_link(LinkState::Up);
  EXPECT_TRUE(gate.passes());
  gate.shut();
  EXPECT_EQ(gate.link(), LinkState::Down);
  EXPECT_FALSE(gate.is_acknowledged());
  EXPECT_FALSE(gate.passes());
  EXPECT_TRUE(gate.is_acknowledged());
  gate.set_link(LinkState::Up);
  EXPECT_TRUE(gate.passes());
  gate.shut();
  EXPECT_FALSE(gate.is_acknowledged()) << "the acknowledgement was for the last time";
  gate.set_link(LinkState::Removed);
  EXPECT_FALSE(gate.passes());
  EXPECT_EQ(gate.link(), LinkState::Removed);
}

}  // namespace
}  // namespace millrace::dpdk
