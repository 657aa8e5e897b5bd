// Plain words to what DPDK's drivers want to be told, and sentences for what nobody can tell them.
#include "dataplane/dpdk/port_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>

#include "dataplane/dpdk/eal.h"
#include "support/seed.h"

namespace millrace::dpdk {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

PortSpec spec(std::string_view text) {
  auto parsed = parse_port_spec(text);
  EXPECT_TRUE(parsed) << parsed.error().what;
  return parsed.value_or(PortSpec{});
}

/// "name,arguments" of each device.
std::vector<std::string> devices(std::string_view text, std::uint16_t queues = 1) {
  std::vector<std::string> all;
  for (const VirtualDevice& one : virtual_devices(spec(text), 3, queues)) {
    all.push_back(one.name + "," + one.arguments);
  }
  return all;
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_port_spec(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : parsed.error().what;
}

TEST(PortSpec, KnowsPciAddresses) {
  for (const char* text : {"0000:03:00.0", "03:00.0"}) {
    EXPECT_EQ(spec(text).kind, PortKind::Pci);
    EXPECT_EQ(spec(text).target, "0000:03:00.0");
    EXPECT_TRUE(devices(text).empty());
  }
  EXPECT_EQ(spec("0001:AF:1f.7").target, "0001:af:1f.7");
  EXPECT_EQ(spec("03:00.0,rx_vec_en=1,mprq_en=1").arguments, "rx_vec_en=1,mprq_en=1");
  for (const char* text : {"0000:03:00.8", "000:03:00.0", "0000:3:00.0", "0000:03:00.", "0000:03:0g.0", "03:00.00"}) {
    EXPECT_THAT(refusal(text), HasSubstr("it begins with no kind of port")) << text;
  }
}

TEST(PortSpec, TellsDriversWhatTheyWant) {
  EXPECT_THAT(devices("memif:/run/m.sock"),
              ElementsAre("net_memif3,role=client,id=0,socket=/run/m.sock,socket-abstract=no,rsize=10"));
  EXPECT_THAT(devices("memif:/run/m.sock,server,rsize=11,zero-copy=yes"),
              ElementsAre("net_memif3,role=server,id=0,socket=/run/m.sock,socket-abstract=no,rsize=11,zero-copy=yes"));
  EXPECT_THAT(devices("tap:mr0"), ElementsAre("net_tap3,iface=mr0"));
  EXPECT_THAT(devices("af_packet:eth1", 2),
              ElementsAre("net_af_packet3,iface=eth1,qpairs=2,framesz=16384,blocksz=65536,framecnt=512"));
  EXPECT_THAT(devices("af_packet:eth1,framesz=2048,blocksz=4096"),
              ElementsAre("net_af_packet3,iface=eth1,qpairs=1,framecnt=512,framesz=2048,blocksz=4096"));
  EXPECT_THAT(devices("vhost:/run/v.sock", 4), ElementsAre("net_vhost3,iface=/run/v.sock,queues=4,client=0"));
  EXPECT_THAT(devices("vhost:/run/v.sock,client"), ElementsAre("net_vhost3,iface=/run/v.sock,queues=1,client=1"));
  EXPECT_THAT(devices("virtio-user:/run/v.sock,packed_vq=1"),
              ElementsAre("net_virtio_user3,path=/run/v.sock,queues=1,queue_size=1024,packed_vq=1"));
  EXPECT_THAT(devices("virtio-user:/run/v.sock,server"),
              ElementsAre("net_virtio_user3,path=/run/v.sock,queues=1,queue_size=1024,server=1"));
  EXPECT_THAT(devices("ring:7"), ElementsAre("net_ring7,"));
  EXPECT_THAT(devices("null"), ElementsAre("net_null3,"));
  EXPECT_THAT(devices("null,size=100"), ElementsAre("net_null3,size=100"));
  EXPECT_THAT(devices("pcap:eth1"), ElementsAre("net_pcap3,iface=eth1"));
  EXPECT_THAT(devices("pcap:in.pcap,out.pcap"), ElementsAre("net_pcap3,rx_pcap=in.pcap,tx_pcap=out.pcap"));
  EXPECT_THAT(devices("vdev:net_bonding0,mode=1,slave=03:00.0"), ElementsAre("net_bonding0,mode=1,slave=03:00.0"));
  EXPECT_TRUE(devices("ethdev:net_ring_mine").empty());
  EXPECT_EQ(spec("ethdev:net_ring_mine").target, "net_ring_mine");
}

TEST(PortSpec, TakesOneXdpSocketForEachQueue) {
  EXPECT_THAT(devices("af_xdp:eth1,force_copy=1", 3),
              ElementsAre("net_af_xdp3_0,iface=eth1,start_queue=0,force_copy=1",
                          "net_af_xdp3_1,iface=eth1,start_queue=1,force_copy=1",
                          "net_af_xdp3_2,iface=eth1,start_queue=2,force_copy=1"));
}

TEST(PortSpec, SaysWhatIsWrong) {
  EXPECT_THAT(refusal(""), HasSubstr("a port is missing"));
  EXPECT_THAT(refusal("nics:eth0"), HasSubstr("port \"nics:eth0\": it begins with no kind of port; there are PCI"));
  EXPECT_THAT(refusal("eth0"), HasSubstr("af_packet:..."));
  EXPECT_THAT(refusal("memif:"), HasSubstr("a socket's path follows \"memif:\""));
  EXPECT_THAT(refusal("memif"), HasSubstr("a socket's path follows"));
  EXPECT_THAT(refusal("null:3"), HasSubstr("nothing follows \"null\""));
  EXPECT_THAT(refusal("memif:/a,server,client"), HasSubstr("said once"));
  EXPECT_THAT(refusal("memif:/a,master"), HasSubstr("\"master\" is no key=value for its driver, nor server or client"));
  EXPECT_THAT(refusal("tap:a,server"), HasSubstr("no key=value"));
  EXPECT_THAT(refusal("tap:a,"), HasSubstr("no key=value"));
  EXPECT_THAT(refusal("tap:a,=1"), HasSubstr("no key=value"));
  EXPECT_THAT(refusal("ethdev:a,b=1"), HasSubstr("no key=value"));
  EXPECT_THAT(refusal("tap:a_name_too_long_"), HasSubstr("1 to 15 letters"));
  EXPECT_THAT(refusal("af_xdp:a/b"), HasSubstr("1 to 15 letters"));
  EXPECT_THAT(refusal("memif:/" + std::string(107, 'a')), HasSubstr("at most 107 letters"));
  EXPECT_THAT(refusal("ring:x"), HasSubstr("a number from 0 to 99"));
  EXPECT_THAT(refusal("ring:100"), HasSubstr("a number from 0 to 99"));
  EXPECT_THAT(refusal("vdev:memif0"), HasSubstr("begins with net_"));
}

TEST(PortSpec, KnowsWhatSharesMemory) {
  EXPECT_TRUE(spec("vhost:/a").shares_memory());
  EXPECT_TRUE(spec("virtio-user:/a").shares_memory());
  EXPECT_TRUE(spec("memif:/a,zero-copy=yes").shares_memory());
  EXPECT_TRUE(spec("vdev:net_vhost0,iface=/a").shares_memory());
  EXPECT_FALSE(spec("memif:/a").shares_memory());
  EXPECT_FALSE(spec("03:00.0").shares_memory());
}

/// Whatever is said: a port whose every word comes back in its devices, or a sentence that names it.
TEST(PortSpec, TakesOrRefusesAnything) {
  std::mt19937_64 random(tests::test_seed());
  const std::string_view pieces[] = {"memif",  "tap",  "af_xdp", "pcap",   "null", "ring", "vdev",
                                     "ethdev", ":",    ",",      "=",      "key",  "/a/b", "0",
                                     "03:00.", "net_", ".",      "server", "\n",   "\xff"};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::uint64_t left = 1 + random() % 9; left > 0; --left) {
      text += pieces[random() % std::size(pieces)];
    }
    const auto parsed = parse_port_spec(text);
    if (!parsed) {
      EXPECT_THAT(parsed.error().what, HasSubstr("\"" + text + "\": "));
      continue;
    }
    EXPECT_EQ(parsed->text, text);
    for (const VirtualDevice& one : virtual_devices(*parsed, 1, 2)) {
      EXPECT_TRUE(one.name.starts_with("net_") || one.name.starts_with("eth_")) << text;
      EXPECT_THAT(one.arguments, HasSubstr(parsed->arguments)) << text;
    }
  }
}

TEST(EalArguments, TakesHugePagesWhenEnoughAreFree) {
  const EalOptions options{.ports = {spec("memif:/a")}, .memory_bytes = 100 << 20};
  EXPECT_THAT(
      eal_arguments(options, {0, 2}, 100 << 20, 7),
      ElementsAre("millrace", "--lcores=0@(0,2)", "--in-memory", "--no-pci", "--iova-mode=va", "--no-telemetry"));
  EXPECT_THAT(eal_arguments(options, {1}, (100 << 20) - 1, 7),
              ElementsAre("millrace", "--lcores=0@(1)", "--no-huge", "-m", "100", "--no-shconf",
                          "--file-prefix=millrace_7", "--no-pci", "--iova-mode=va", "--no-telemetry"));
  EalOptions without = options;
  without.uses_huge_pages = false;
  EXPECT_THAT(eal_arguments(without, {1}, 1ULL << 40, 7), Contains("--no-huge"));
}

TEST(EalArguments, RefusesACardThatCouldNotReachItsPackets) {
  constexpr std::uint64_t kWanted = (87 << 20) - 1;
  EXPECT_FALSE(locked_memory_refusal(kWanted, 8 << 20, true)) << "root may lock what it likes";
  EXPECT_FALSE(locked_memory_refusal(kWanted, kWanted, false));
  const auto refusal = locked_memory_refusal(kWanted, 8 << 20, false);
  ASSERT_TRUE(refusal);
  EXPECT_THAT(*refusal, HasSubstr("its packets take 87 MiB, and this process may lock 8; raise it (`ulimit -l"));
}

TEST(EalArguments, CountsHugePagesWhereTheCardIs) {
  const std::filesystem::path sysfs =
      std::filesystem::temp_directory_path() / ("millrace_sysfs_" + std::to_string(::getpid()));
  const auto write = [&](const std::string& path, const std::string& text) {
    std::filesystem::create_directories((sysfs / path).parent_path());
    std::ofstream(sysfs / path) << text << "\n";
  };
  write("bus/pci/devices/0000:03:00.0/numa_node", "1");
  write("bus/pci/devices/0000:04:00.0/numa_node", "-1");
  write("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "40");
  write("kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1");
  write("devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "40");
  write("devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages", "0");
  write("devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "0");
  write("devices/system/node/node1/hugepages/hugepages-1048576kB/free_hugepages", "1");
  constexpr std::uint64_t kMiB = 1 << 20;
  EXPECT_EQ(card_node({spec("memif:/a"), spec("03:00.0,a=1")}, sysfs), 1U);
  EXPECT_EQ(card_node({spec("04:00.0")}, sysfs), std::nullopt);  // a machine with one node says so
  EXPECT_EQ(card_node({spec("05:00.0")}, sysfs), std::nullopt);
  EXPECT_EQ(card_node({spec("memif:/a")}, sysfs), std::nullopt);
  EXPECT_EQ(free_huge_page_bytes({}, sysfs), (80 + 1024) * kMiB);
  EXPECT_EQ(free_huge_page_bytes(0, sysfs), 80 * kMiB);
  EXPECT_EQ(free_huge_page_bytes(1, sysfs), 1024 * kMiB);
  EXPECT_EQ(free_huge_page_bytes(2, sysfs), 0U);
  std::filesystem::remove_all(sysfs);
}

TEST(EalArguments, AllowsOnlyTheCardsThatWereNamed) {
  const EalOptions options{
      .ports = {spec("03:00.0,a=1"), spec("04:00.0")}, .has_telemetry = true, .extra = {"--vfio-intr=msix"}};
  EXPECT_THAT(eal_arguments(options, {0}, 1ULL << 40, 7),
              ElementsAre("millrace", "--lcores=0@(0)", "--in-memory", "--file-prefix=millrace_7", "-a",
                          "0000:03:00.0,a=1", "-a", "0000:04:00.0", "--vfio-intr=msix"));
}

TEST(EalArguments, LaysSharedMemoryOutInOnePiece) {
  for (const char* text : {"vhost:/a", "virtio-user:/a", "memif:/a,zero-copy=yes"}) {
    EXPECT_THAT(eal_arguments({.ports = {spec(text)}}, {0}, 1ULL << 40, 7), Contains("--single-file-segments")) << text;
  }
  EXPECT_THAT(eal_arguments({.ports = {spec("memif:/a")}}, {0}, 1ULL << 40, 7),
              Not(Contains("--single-file-segments")));
}

}  // namespace
}  // namespace millrace::dpdk
