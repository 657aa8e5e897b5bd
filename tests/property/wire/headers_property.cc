// Every header: what is written is read back, whatever the fields; no prefix of it is read beyond its end; bytes that
// read as a header and are written again are the same bytes where the format has no free ones. Incremental checksums
// equal whole ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/icmpv4.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6_extensions.h"
#include "dataplane/wire/ndp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"
#include "support/seed.h"

namespace millrace::wire {
namespace {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  template <typename Number>
  Number number() {
    return static_cast<Number>(random_());
  }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool coin() { return (random_() & 1) != 0; }
  MacAddress mac() {
    MacAddress mac;
    for (auto& byte : mac) {
      byte = number<std::uint8_t>();
    }
    return mac;
  }
  IpAddress v4() { return IpAddress::v4(number<std::uint32_t>()); }
  IpAddress v6() {
    IpAddress address;
    for (auto& byte : address.bytes) {
      byte = number<std::uint8_t>();
    }
    return address;
  }

 private:
  std::mt19937_64 random_;
};

constexpr int kRounds = 2000;

/// Writes, reads back, and reads every prefix from memory of its exact size, where a sanitizer sees a step beyond.
template <typename Header, typename Write, typename Parse>
void expect_round_trip(const Header& header, std::size_t bytes_max, Write&& write, Parse&& parse) {
  std::vector<std::byte> bytes(bytes_max);
  const std::size_t size = write(bytes.data());
  bytes.resize(size);
  ASSERT_EQ(parse(Bytes(bytes)), std::optional(header));
  for (std::size_t cut = 0; cut < size; ++cut) {
    const std::unique_ptr<std::byte[]> exact(new std::byte[cut]);
    std::copy_n(bytes.begin(), cut, exact.get());
    (void)parse(Bytes(exact.get(), cut));
  }
}

TEST(HeadersProperty, WrittenIsRead) {
  Draw draw(tests::test_seed());
  for (int round = 0; round < kRounds; ++round) {
    const EthernetHeader ethernet{
        .destination = draw.mac(), .source = draw.mac(), .type = draw.number<std::uint16_t>()};
    expect_round_trip(
        ethernet, kEthernetBytes, [&](std::byte* to) { return write_ethernet(to, ethernet), kEthernetBytes; },
        [](Bytes b) { return parse_ethernet(b); });

    const VlanTag tag{.tci = draw.number<std::uint16_t>(), .type = draw.number<std::uint16_t>()};
    expect_round_trip(
        tag, kVlanTagBytes, [&](std::byte* to) { return write_vlan(to, tag), kVlanTagBytes; },
        [](Bytes b) { return parse_vlan(b); });

    const ArpPacket arp{.operation = draw.coin() ? ArpOperation::Request : ArpOperation::Reply,
                        .sender_mac = draw.mac(),
                        .sender_ip = draw.v4(),
                        .target_mac = draw.mac(),
                        .target_ip = draw.v4()};
    expect_round_trip(
        arp, kArpBytes, [&](std::byte* to) { return write_arp(to, arp), kArpBytes; },
        [](Bytes b) { return parse_arp(b); });

    const Ipv4Header ipv4{.version = static_cast<std::uint8_t>(draw.below(16)),
                          .header_bytes = static_cast<std::uint8_t>(draw.below(16) * 4),
                          .tos = draw.number<std::uint8_t>(),
                          .ttl = draw.number<std::uint8_t>(),
                          .protocol = draw.number<std::uint8_t>(),
                          .reserved_flag = draw.coin(),
                          .dont_fragment = draw.coin(),
                          .more_fragments = draw.coin(),
                          .total_bytes = draw.number<std::uint16_t>(),
                          .id = draw.number<std::uint16_t>(),
                          .fragment_offset_bytes = static_cast<std::uint16_t>(draw.below(8192) * 8),
                          .checksum = draw.number<std::uint16_t>(),
                          .source = draw.v4(),
                          .destination = draw.v4()};
    expect_round_trip(
        ipv4, kIpv4Bytes, [&](std::byte* to) { return write_ipv4(to, ipv4), kIpv4Bytes; },
        [](Bytes b) { return parse_ipv4(b); });

    const Ipv6Header ipv6{.version = static_cast<std::uint8_t>(draw.below(16)),
                          .traffic_class = draw.number<std::uint8_t>(),
                          .next_header = draw.number<std::uint8_t>(),
                          .hop_limit = draw.number<std::uint8_t>(),
                          .payload_bytes = draw.number<std::uint16_t>(),
                          .flow_label = draw.number<std::uint32_t>() & 0xfffff,
                          .source = draw.v6(),
                          .destination = draw.v6()};
    expect_round_trip(
        ipv6, kIpv6Bytes, [&](std::byte* to) { return write_ipv6(to, ipv6), kIpv6Bytes; },
        [](Bytes b) { return parse_ipv6(b); });

    const Ipv6Fragment fragment{.next_header = draw.number<std::uint8_t>(),
                                .more_fragments = draw.coin(),
                                .offset_bytes = static_cast<std::uint16_t>(draw.below(8192) * 8),
                                .id = draw.number<std::uint32_t>()};
    expect_round_trip(
        fragment, kIpv6FragmentBytes,
        [&](std::byte* to) { return write_ipv6_fragment(to, fragment), kIpv6FragmentBytes; },
        [](Bytes b) { return parse_ipv6_fragment(b); });

    const IcmpHeader icmp{.type = draw.number<std::uint8_t>(),
                          .code = draw.number<std::uint8_t>(),
                          .checksum = draw.number<std::uint16_t>(),
                          .rest = draw.number<std::uint32_t>()};
    expect_round_trip(
        icmp, kIcmpBytes, [&](std::byte* to) { return write_icmp(to, icmp), kIcmpBytes; },
        [](Bytes b) { return parse_icmp(b); });

    const UdpHeader udp{.source_port = draw.number<std::uint16_t>(),
                        .destination_port = draw.number<std::uint16_t>(),
                        .total_bytes = draw.number<std::uint16_t>(),
                        .checksum = draw.number<std::uint16_t>()};
    expect_round_trip(
        udp, kUdpBytes, [&](std::byte* to) { return write_udp(to, udp), kUdpBytes; },
        [](Bytes b) { return parse_udp(b); });

    NeighborMessage neighbor{.is_advertisement = draw.coin(), .target = draw.v6()};
    if (neighbor.is_advertisement) {
      neighbor.is_router = draw.coin();
      neighbor.is_solicited = draw.coin();
      neighbor.overrides = draw.coin();
    }
    if (draw.coin()) {
      neighbor.link_address = draw.mac();
    }
    expect_round_trip(
        neighbor, kNeighborBytes + kLinkAddressOptionBytes, [&](std::byte* to) { return write_neighbor(to, neighbor); },
        [](Bytes b) { return parse_neighbor(b); });
  }
}

TEST(HeadersProperty, IncrementalChecksumEqualsTheWholeOne) {
  Draw draw(tests::test_seed());
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::byte> bytes(2 * (1 + draw.below(30)));
    for (std::byte& byte : bytes) {
      byte = draw.number<std::byte>();
    }
    if (round % 4 == 0) {
      std::fill(bytes.begin(), bytes.end(), std::byte{0});  // where both zeros of one's complement meet
      bytes.back() = std::byte{1};
    }
    const std::uint16_t before = checksum_of(bytes);
    const std::size_t at = 2 * draw.below(bytes.size() / 2);
    const std::uint16_t was = load_be16(bytes.data() + at);
    const auto is = draw.coin() ? draw.number<std::uint16_t>() : static_cast<std::uint16_t>(draw.coin() ? 0 : 0xffff);
    store_be16(bytes.data() + at, is);
    const bool is_all_zero = std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
    if (!is_all_zero) {  // the sum of nothing but zeros is +0, which no IP header has and equation 3 cannot reach
      ASSERT_EQ(update_checksum(before, was, is), checksum_of(bytes)) << "round " << round;
    }
  }
}

TEST(HeadersProperty, ExtensionWalksEndWithinTheBytes) {
  Draw draw(tests::test_seed());
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> bytes(draw.below(120));
    for (std::byte& byte : bytes) {
      // Mostly the numbers that matter, so that walks go on.
      constexpr std::uint8_t kLikely[] = {0, 0, 0, 1, 43, 44, 60, 17, 4, 0xc2};
      byte = draw.below(8) == 0 ? draw.number<std::byte>() : static_cast<std::byte>(kLikely[draw.below(10)]);
    }
    constexpr std::uint8_t kFirst[] = {0, 43, 44, 60};
    const ExtensionWalk walk = walk_extensions(kFirst[draw.below(4)], bytes, draw.coin());
    if (walk.drop == Drop::None) {
      ASSERT_LE(walk.payload.size(), bytes.size());
      ASSERT_EQ(walk.payload.data() + walk.payload.size(), bytes.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace millrace::wire
