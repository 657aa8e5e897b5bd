// dataplane/ip/input.h: every malformation has its reason, and what is sound passes.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "dataplane/ip/input.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "support/stack_world.h"

namespace millrace::ip {
namespace {

using buf::ChecksumState;
using tests::v4;
using tests::v6;
using wire::Drop;
using wire::IpAddress;

class Datagram4 {
 public:
  wire::Ipv4Header header{
      .protocol = wire::kProtocolUdp, .total_bytes = 28, .source = v4(10, 0, 0, 1), .destination = v4(10, 0, 0, 2)};
  std::vector<std::byte> options{};
  std::size_t payload_bytes = 8;
  std::size_t padding_bytes = 18;

  [[nodiscard]] std::vector<std::byte> bytes() const {
    std::vector<std::byte> all(wire::kIpv4Bytes + options.size() + payload_bytes + padding_bytes);
    wire::write_ipv4(all.data(), header);
    std::copy(options.begin(), options.end(), all.begin() + wire::kIpv4Bytes);
    const std::size_t covered = std::min<std::size_t>(std::max<std::size_t>(header.header_bytes, 20), all.size());
    wire::fill_ipv4_checksum(all.data(), covered);
    return all;
  }
};

class InputV4Test : public testing::Test {
 protected:
  /// The reason after `change` was done to a sound datagram.
  Drop drop_after(const std::function<void(Datagram4&)>& change, bool frame_to_group = false) {
    Datagram4 datagram;
    change(datagram);
    const auto bytes = datagram.bytes();
    return input_v4(bytes, ChecksumState::Unknown, frame_to_group, host).drop;
  }
  Drop drop_from(const IpAddress& source) {
    return drop_after([&](Datagram4& d) { d.header.source = source; });
  }
  Drop drop_to(const IpAddress& destination) {
    return drop_after([&](Datagram4& d) { d.header.destination = destination; });
  }
  Drop drop_with_options(std::vector<std::byte> options) {
    return drop_after([&](Datagram4& d) {
      d.options = std::move(options);
      d.header.header_bytes = static_cast<std::uint8_t>(20 + d.options.size());
      d.header.total_bytes = static_cast<std::uint16_t>(d.header.total_bytes + d.options.size());
    });
  }
  template <typename... Octets>
  static std::vector<std::byte> octets(Octets... values) {
    return {static_cast<std::byte>(values)...};
  }

  HostAddresses host = tests::addresses_of(2);
};

TEST_F(InputV4Test, SoundOnesPassWithoutTheirPadding) {
  const auto bytes = Datagram4{}.bytes();
  const Arrived arrived = input_v4(bytes, ChecksumState::Unknown, false, host);
  EXPECT_EQ(arrived.drop, Drop::None);
  EXPECT_EQ(arrived.payload.size(), 8U);
  EXPECT_EQ(arrived.datagram.size(), 28U);
  EXPECT_EQ(arrived.protocol, wire::kProtocolUdp);
  EXPECT_FALSE(arrived.is_fragment);
}

TEST_F(InputV4Test, HeadersThatContradictThemselves) {
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.version = 6; }), Drop::IpVersion);
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.header_bytes = 16; }), Drop::IpHeaderLength);
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.header_bytes = 60; }), Drop::IpHeaderLength);
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.total_bytes = 47; }), Drop::IpTotalLength);
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.total_bytes = 19; }), Drop::IpTotalLength);
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.ttl = 0; }), Drop::IpTtl);
  EXPECT_EQ(input_v4(std::vector<std::byte>(19), ChecksumState::Unknown, false, host).drop, Drop::FrameShort);
}

TEST_F(InputV4Test, ChecksumsByDeviceAndBySoftware) {
  auto bytes = Datagram4{}.bytes();
  EXPECT_EQ(input_v4(bytes, ChecksumState::Bad, false, host).drop, Drop::IpChecksum);
  EXPECT_EQ(input_v4(bytes, ChecksumState::Good, false, host).drop, Drop::None);
  bytes[1] ^= std::byte{4};
  EXPECT_EQ(input_v4(bytes, ChecksumState::Unknown, false, host).drop, Drop::IpChecksum);
  EXPECT_EQ(input_v4(bytes, ChecksumState::Good, false, host).drop, Drop::None);
}

TEST_F(InputV4Test, Options) {
  EXPECT_EQ(drop_with_options(octets(1, 1, 1, 0)), Drop::None);
  EXPECT_EQ(drop_with_options(octets(7, 7, 4, 0, 0, 0, 0, 0)), Drop::None);            // record route: skipped
  EXPECT_EQ(drop_with_options(octets(148, 4, 0, 0)), Drop::None);                      // router alert
  EXPECT_EQ(drop_with_options(octets(7, 0, 0, 0)), Drop::IpOptions);                   // length 0
  EXPECT_EQ(drop_with_options(octets(7, 5, 0, 0)), Drop::IpOptions);                   // beyond the header
  EXPECT_EQ(drop_with_options(octets(1, 1, 1, 7)), Drop::IpOptions);                   // no length
  EXPECT_EQ(drop_with_options(octets(131, 7, 4, 10, 0, 0, 9, 0)), Drop::SourceRoute);  // loose
  EXPECT_EQ(drop_with_options(octets(1, 137, 7, 4, 10, 0, 0, 9)), Drop::SourceRoute);  // strict
  EXPECT_EQ(drop_with_options(octets(0, 131, 7, 4)), Drop::None);                      // behind the end
}

TEST_F(InputV4Test, Martians) {
  for (const IpAddress& source : {v4(0, 0, 0, 0), v4(0, 1, 2, 3), v4(127, 0, 0, 1), v4(224, 0, 0, 1), v4(240, 0, 0, 1),
                                  v4(255, 255, 255, 255), v4(10, 0, 0, 255), v4(10, 0, 0, 0), v4(10, 0, 0, 2)}) {
    EXPECT_EQ(drop_from(source), Drop::MartianSource) << std::hex << source.v4_host();
  }
  EXPECT_EQ(drop_from(v4(8, 8, 8, 8)), Drop::None);
  EXPECT_EQ(drop_to(v4(127, 0, 0, 1)), Drop::MartianDestination);
  EXPECT_EQ(drop_to(v4(0, 0, 0, 0)), Drop::MartianDestination);
}

TEST_F(InputV4Test, OnlyWhatIsForUs) {
  EXPECT_EQ(drop_to(v4(10, 0, 0, 3)), Drop::IpNotForUs);
  EXPECT_EQ(drop_to(v4(10, 0, 0, 255)), Drop::IpBroadcast);
  EXPECT_EQ(drop_to(v4(255, 255, 255, 255)), Drop::IpBroadcast);
  EXPECT_EQ(drop_to(v4(224, 0, 0, 1)), Drop::IpBroadcast);
  EXPECT_EQ(drop_after([](Datagram4&) {}, true), Drop::IpBroadcast);  // unicast hidden in a broadcast frame
}

TEST_F(InputV4Test, Fragments) {
  Datagram4 datagram;
  datagram.header.more_fragments = true;
  datagram.header.fragment_offset_bytes = 1480;
  datagram.header.id = 77;
  const auto bytes = datagram.bytes();
  const Arrived arrived = input_v4(bytes, ChecksumState::Unknown, false, host);
  EXPECT_EQ(arrived.drop, Drop::None);
  EXPECT_TRUE(arrived.is_fragment);
  EXPECT_EQ(arrived.fragment.offset_bytes, 1480);
  EXPECT_EQ(arrived.fragment.id, 77U);
  EXPECT_EQ(drop_after([](Datagram4& d) {
              d.header.more_fragments = true;
              d.header.total_bytes = 27;
            }),
            Drop::FragmentMalformed);  // not whole blocks
  EXPECT_EQ(drop_after([](Datagram4& d) {
              d.header.fragment_offset_bytes = 8;
              d.header.total_bytes = 20;
            }),
            Drop::FragmentMalformed);  // empty
  EXPECT_EQ(drop_after([](Datagram4& d) { d.header.fragment_offset_bytes = 65528; }),
            Drop::FragmentMalformed);  // beyond
}

std::vector<std::byte> datagram6(const wire::Ipv6Header& header, std::vector<std::byte> payload) {
  std::vector<std::byte> all(wire::kIpv6Bytes);
  wire::write_ipv6(all.data(), header);
  all.insert(all.end(), payload.begin(), payload.end());
  return all;
}

TEST(InputV6, EachMalformation) {
  const HostAddresses host = tests::addresses_of(2);
  const wire::Ipv6Header sound{
      .next_header = wire::kProtocolUdp, .payload_bytes = 8, .source = v6(1), .destination = v6(2)};
  const std::vector<std::byte> payload(10);  // with padding
  const auto drop_after = [&](const std::function<void(wire::Ipv6Header&)>& change, bool frame_to_group = false) {
    wire::Ipv6Header header = sound;
    change(header);
    return input_v6(datagram6(header, payload), frame_to_group, host).drop;
  };
  EXPECT_EQ(drop_after([](wire::Ipv6Header&) {}), Drop::None);
  EXPECT_EQ(drop_after([](wire::Ipv6Header&) {}, true), Drop::IpBroadcast);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.version = 4; }), Drop::IpVersion);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.payload_bytes = 11; }), Drop::IpTotalLength);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.hop_limit = 0; }), Drop::IpTtl);
  for (const IpAddress& source : {wire::kAllNodes, IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, v6(2),
                                  v4(10, 0, 0, 1), IpAddress{}}) {
    EXPECT_EQ(drop_after([&](wire::Ipv6Header& h) { h.source = source; }), Drop::MartianSource);
  }
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.destination = v6(3); }), Drop::IpNotForUs);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.destination = {}; }), Drop::MartianDestination);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.destination = v4(10, 0, 0, 2); }), Drop::MartianDestination);
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.destination = wire::kAllNodes; }), Drop::IpBroadcast);  // UDP to all
  EXPECT_EQ(drop_after([](wire::Ipv6Header& h) { h.destination = wire::solicited_node(v6(9)); }), Drop::IpBroadcast);
  EXPECT_EQ(input_v6(std::vector<std::byte>(39), false, host).drop, Drop::FrameShort);
  const Arrived arrived = input_v6(datagram6(sound, payload), false, host);
  EXPECT_EQ(arrived.payload.size(), 8U);
}

TEST(HostAddresses, RoutesAndSources) {
  HostAddresses host = tests::addresses_of(2);
  EXPECT_EQ(host.next_hop(v4(10, 0, 0, 9)), v4(10, 0, 0, 9));
  EXPECT_FALSE(host.next_hop(v4(10, 0, 1, 9)));
  EXPECT_TRUE(host.add_gateway(v4(10, 0, 0, 1)));
  EXPECT_TRUE(host.add_gateway(v6(1)));
  EXPECT_TRUE(
      host.add_route({.prefix = v4(172, 16, 0, 0), .prefix_bits = kV4PrefixShift + 12, .gateway = v4(10, 0, 0, 254)}));
  EXPECT_EQ(host.next_hop(v4(10, 0, 1, 9)), v4(10, 0, 0, 1));
  EXPECT_EQ(host.next_hop(v4(172, 31, 1, 9)), v4(10, 0, 0, 254));
  const IpAddress far{{0x20, 0x01, 0, 1}};
  EXPECT_EQ(host.next_hop(far), v6(1));
  EXPECT_EQ(host.source_for(far), v6(2));  // not the link-local one
  EXPECT_EQ(host.source_for(wire::link_local_of(tests::mac_of(7))), wire::link_local_of(tests::mac_of(2)));
  EXPECT_EQ(host.source_for(v4(8, 8, 8, 8)), v4(10, 0, 0, 2));
  EXPECT_TRUE(host.is_gateway(v6(1)));
  EXPECT_FALSE(host.add(HostAddress::v4(0xe0000001, 4)));
  EXPECT_FALSE(host.add(HostAddress::v4(0, 0)));
  EXPECT_FALSE(host.add({.address = v4(10, 0, 0, 5), .prefix_bits = 24}));  // counted in 128 bits
  EXPECT_FALSE(host.is_broadcast(v4(10, 0, 1, 255)));
  EXPECT_TRUE(host.add(HostAddress::v4(0xc0a80000, 31)));  // RFC 3021: two hosts and no broadcast
  EXPECT_FALSE(host.is_broadcast(v4(192, 168, 0, 1)));
  EXPECT_TRUE(host.is_on_link(v4(192, 168, 0, 1)));
}

}  // namespace
}  // namespace millrace::ip
