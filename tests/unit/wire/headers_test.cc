// dataplane/wire: real frames byte for byte, bounds of the walks, what addresses say of themselves.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6_extensions.h"
#include "dataplane/wire/ndp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"

namespace millrace::wire {
namespace {

std::vector<std::byte> hex(std::string_view text) {
  std::vector<std::byte> bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') {
      continue;
    }
    digits += c;
    if (digits.size() == 2) {
      bytes.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return bytes;
}

TEST(Headers, ReadAFrameThatLinuxSent) {
  // ping -s 0 from 10.9.0.1, with its padding.
  const auto frame =
      hex("02 09 00 00 00 02 9a 11 22 33 44 55 08 00 45 00 00 1c 12 34 40 00 40 01 14 99 0a 09 00 01 0a 09 00 02"
          "08 00 f7 fd 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
  const auto ethernet = parse_ethernet(frame);
  ASSERT_TRUE(ethernet);
  EXPECT_EQ(ethernet->type, kEtherTypeIpv4);
  EXPECT_EQ(ethernet->destination, (MacAddress{2, 9, 0, 0, 0, 2}));
  const auto ip = parse_ipv4(Bytes(frame).subspan(kEthernetBytes));
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->version, 4);
  EXPECT_EQ(ip->header_bytes, 20);
  EXPECT_EQ(ip->total_bytes, 28);
  EXPECT_EQ(ip->id, 0x1234);
  EXPECT_TRUE(ip->dont_fragment);
  EXPECT_FALSE(ip->is_fragment());
  EXPECT_EQ(ip->ttl, 64);
  EXPECT_EQ(ip->protocol, kProtocolIcmpv4);
  EXPECT_EQ(ip->source, IpAddress::v4(0x0a090001));
  EXPECT_EQ(checksum_of(Bytes(frame).subspan(kEthernetBytes, 20)), 0);
  EXPECT_EQ(checksum_of(Bytes(frame).subspan(kEthernetBytes + 20, 8)), 0);
}

TEST(Headers, ArpIsEthernetAndIpv4Only) {
  std::byte bytes[kArpBytes];
  write_arp(bytes, {.operation = ArpOperation::Reply, .sender_ip = IpAddress::v4(1), .target_ip = IpAddress::v4(2)});
  ASSERT_TRUE(parse_arp(bytes));
  for (const auto& [at, value] : {std::pair{1, 6}, {3, 6}, {4, 8}, {5, 16}, {7, 3}, {7, 0}}) {
    std::byte other[kArpBytes];
    std::copy(std::begin(bytes), std::end(bytes), other);
    other[at] = static_cast<std::byte>(value);
    EXPECT_FALSE(parse_arp(other)) << at;
  }
}

TEST(Ipv6Extensions, WalkToTheEnd) {
  // Hop-by-hop with PadN, destination options with Pad1s, then UDP.
  const auto bytes = hex("3c 00 01 04 00 00 00 00  11 00 00 00 00 00 00 00  aa bb");
  const auto walk = walk_extensions(kNextHopByHop, bytes);
  EXPECT_EQ(walk.drop, Drop::None);
  EXPECT_EQ(walk.protocol, kProtocolUdp);
  EXPECT_EQ(walk.payload.size(), 2U);
  EXPECT_FALSE(walk.fragment);
}

TEST(Ipv6Extensions, StopAtAFragment) {
  const auto walk = walk_extensions(kNextFragment, hex("11 00 05 a9 00 00 00 07 aa"));
  ASSERT_TRUE(walk.fragment);
  EXPECT_EQ(walk.fragment->offset_bytes, 0x5a8);
  EXPECT_TRUE(walk.fragment->more_fragments);
  EXPECT_EQ(walk.fragment->id, 7U);
  EXPECT_EQ(walk.payload.size(), 1U);
  EXPECT_EQ(walk_extensions(kNextFragment, hex("11 00 05 a9 00 00 00 07 aa"), true).drop, Drop::Ipv6Extension);
}

TEST(Ipv6Extensions, RefuseWhatIsBroken) {
  const auto drop = [](std::uint8_t next, std::string_view text) { return walk_extensions(next, hex(text)).drop; };
  EXPECT_EQ(drop(kNextHopByHop, "11 00 00 00"), Drop::Ipv6Extension);              // short
  EXPECT_EQ(drop(kNextHopByHop, "11 01 00 00 00 00 00 00"), Drop::Ipv6Extension);  // longer than there is
  EXPECT_EQ(drop(kNextHopByHop, "11 00 01 05 00 00 00 00"), Drop::Ipv6Extension);  // option too long
  EXPECT_EQ(drop(kNextHopByHop, "11 00 00 00 00 00 00 01"), Drop::Ipv6Extension);  // option without length
  EXPECT_EQ(drop(kNextHopByHop, "11 00 05 02 00 00 01 00"), Drop::None);           // router alert: skipped
  EXPECT_EQ(drop(kNextHopByHop, "11 00 c2 04 00 01 00 00"), Drop::Ipv6Extension);  // jumbogram: mandatory
  EXPECT_EQ(drop(kNextDestination, "00 00 01 04 00 00 00 00 11 00 01 04 00 00 00 00"), Drop::Ipv6Extension);
  EXPECT_EQ(drop(kNextRouting, "11 00 00 01 00 00 00 00"), Drop::SourceRoute);  // type 0
  EXPECT_EQ(drop(kNextRouting, "11 00 02 01 00 00 00 00"), Drop::SourceRoute);  // something left
  EXPECT_EQ(drop(kNextRouting, "11 00 02 00 00 00 00 00"), Drop::None);
  EXPECT_EQ(drop(kNextFragment, "11 00 00 00 00 00 00"), Drop::Ipv6Extension);
  std::string many;
  for (std::size_t i = 0; i < kExtensionsMax; ++i) {
    many += "3c 00 01 04 00 00 00 00";
  }
  EXPECT_EQ(walk_extensions(kNextDestination, hex(many + "11 00 01 04 00 00 00 00")).drop, Drop::Ipv6Extension);
}

TEST(Ndp, OptionsAreBounded) {
  std::byte bytes[kNeighborBytes + kLinkAddressOptionBytes];
  const NeighborMessage sent{.is_advertisement = true, .overrides = true, .link_address = MacAddress{2, 0, 0, 0, 0, 9}};
  ASSERT_EQ(write_neighbor(bytes, sent), sizeof bytes);
  EXPECT_EQ(parse_neighbor(bytes), sent);
  bytes[kNeighborBytes + 1] = std::byte{0};  // an option of length 0 would be walked for ever
  EXPECT_FALSE(parse_neighbor(bytes));
  bytes[kNeighborBytes + 1] = std::byte{2};  // longer than the message
  EXPECT_FALSE(parse_neighbor(bytes));
  std::vector<std::byte> many(bytes, bytes + kNeighborBytes);
  for (std::size_t i = 0; i <= kNdpOptionsMax; ++i) {
    const auto option = hex("0e 01 00 00 00 00 00 00");
    many.insert(many.end(), option.begin(), option.end());
  }
  EXPECT_FALSE(parse_neighbor(many));
  EXPECT_TRUE(parse_neighbor(Bytes(many).first(many.size() - 8)));
}

TEST(Addresses, KnowWhatTheyAre) {
  const IpAddress a = IpAddress::v4(0x0a000001);
  EXPECT_TRUE(a.is_v4());
  EXPECT_EQ(a.v4_host(), 0x0a000001U);
  EXPECT_TRUE(IpAddress::v4(0).is_unspecified());
  EXPECT_TRUE(IpAddress{}.is_unspecified());
  EXPECT_FALSE(IpAddress{}.is_v4());
  EXPECT_TRUE(IpAddress::v4(0xe0000001).is_multicast());
  EXPECT_FALSE(IpAddress::v4(0xf0000001).is_multicast());
  EXPECT_TRUE(IpAddress::v4(0x7f000001).is_loopback());
  EXPECT_TRUE(kAllNodes.is_multicast());
  const IpAddress local = link_local_of({0x02, 0x09, 0, 0, 0, 2});
  EXPECT_TRUE(local.is_link_local_v6());
  EXPECT_EQ(local, (IpAddress{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x09, 0, 0xff, 0xfe, 0, 0, 2}}));
  EXPECT_EQ(group_mac(solicited_node(local)), (MacAddress{0x33, 0x33, 0xff, 0, 0, 2}));
  EXPECT_TRUE(shares_prefix(IpAddress::v4(0x0a0000ff), a, 96 + 24));
  EXPECT_FALSE(shares_prefix(IpAddress::v4(0x0a0001ff), a, 96 + 24));
  EXPECT_TRUE(shares_prefix(IpAddress::v4(0x0a0001ff), a, 96 + 23));
  EXPECT_TRUE(shares_prefix(local, a, 0));
}

TEST(Drops, HaveNamesOfTheirOwnAndSentences) {
  std::set<std::string_view> names;
  for (const DropWords& words : kDropWords) {
    EXPECT_TRUE(names.insert(words.name).second) << words.name;
    EXPECT_EQ(words.sentence.back(), '.') << words.name;
  }
}

}  // namespace
}  // namespace millrace::wire
