// The UDP frame as memcached 1.6 sends and takes it, byte for byte, and each way a datagram is none.

#include "protocol/udp_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "protocol/udp_join.h"

namespace millrace::protocol {
namespace {

using std::literals::operator""sv;
using Taken = UdpJoin::Taken;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string framed(UdpHeader header, std::string_view body) {
  const auto head = udp_header_bytes(header);
  return std::string(reinterpret_cast<const char*>(head.data()), head.size()).append(body);
}

TEST(UdpRequest, IsTheHeaderAndTheCommandsBehind) {
  const UdpRequest request = read_udp_request(bytes("\x12\x34\0\0\0\1\0\0get a\r\n"sv));
  EXPECT_EQ(request.drop, UdpDrop::None);
  EXPECT_EQ(request.request_id, 0x1234);
  EXPECT_EQ(request.commands.size(), 7U);
  EXPECT_EQ(std::to_integer<char>(request.commands[0]), 'g');
}

TEST(UdpRequest, MayBeEmptyAndMayHaveAnySequenceAndReservedWord) {
  const UdpRequest request = read_udp_request(bytes("\0\1\0\7\0\1\xff\xff"sv));
  EXPECT_EQ(request.drop, UdpDrop::None);
  EXPECT_TRUE(request.commands.empty());
}

TEST(UdpRequest, IsDroppedWithoutAWholeHeader) {
  const std::string_view whole = "\0\1\0\0\0\1\0\0"sv;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_EQ(read_udp_request(bytes(whole.substr(0, cut))).drop, UdpDrop::NoHeader) << cut;
  }
}

TEST(UdpRequest, IsDroppedUnlessItIsOneDatagram) {
  for (const unsigned count : {0U, 2U, 256U, 257U, 0xffffU}) {
    const auto total = static_cast<std::uint16_t>(count);
    const UdpRequest request = read_udp_request(bytes(framed({.request_id = 9, .total = total}, "get a\r\n")));
    EXPECT_EQ(request.drop, UdpDrop::NotOneDatagram) << total;
    EXPECT_TRUE(request.commands.empty());
  }
}

TEST(UdpSplit, CutsWhereMemcachedDoes) {
  EXPECT_EQ(UdpSplit(1, 0).count(), 0U);
  EXPECT_EQ(UdpSplit(1, 1).count(), 1U);
  EXPECT_EQ(UdpSplit(1, 1392).count(), 1U);
  EXPECT_EQ(UdpSplit(1, 1393).count(), 2U);

  // "VALUE m 0 3000", the value, "END": 1400, 1400 and 247 bytes with their headers.
  const UdpSplit split(9, 16 + 3000 + 2 + 5);
  ASSERT_EQ(split.count(), 3U);
  EXPECT_EQ(split.part(0).bytes, 1392U);
  EXPECT_EQ(split.part(2).offset, 2784U);
  EXPECT_EQ(split.part(2).bytes, 239U);
  EXPECT_EQ(framed(split.part(2).header, ""), "\0\x09\0\2\0\3\0\0"sv);
}

TEST(UdpSplit, HasNoDatagramForWhatSixteenBitsCannotCount) {
  EXPECT_EQ(UdpSplit(1, kUdpResponseBytesMax).count(), 65535U);
  EXPECT_EQ(UdpSplit(1, kUdpResponseBytesMax).part(65534).header.total, 65535);
  EXPECT_EQ(UdpSplit(1, kUdpResponseBytesMax + 1).count(), 0U);
}

TEST(UdpJoin, TakesPartsInAnyOrderOnce) {
  const std::string full(kUdpBodyBytesMax, 'f');
  UdpJoin join(2 * kUdpBodyBytesMax);
  join.begin(7);
  EXPECT_EQ(join.take(bytes(framed({7, 1, 2}, "END\r\n"))), Taken::Part);
  EXPECT_EQ(join.take(bytes(framed({7, 1, 2}, "END\r\n"))), Taken::Duplicate);
  EXPECT_EQ(join.take(bytes(framed({7, 0, 2}, full))), Taken::Complete);
  EXPECT_EQ(join.take(bytes(framed({7, 0, 2}, full))), Taken::Duplicate);
  const auto response = join.response();
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(response.data()), response.size()), full + "END\r\n");

  join.begin(8);
  EXPECT_EQ(join.take(bytes(framed({7, 0, 2}, full))), Taken::Foreign);
  EXPECT_EQ(join.take(bytes(framed({8, 0, 1}, "END\r\n"))), Taken::Complete);
  EXPECT_EQ(join.response().size(), 5U);
}

TEST(UdpJoin, RefusesWhatIsNoPart) {
  const std::string full(kUdpBodyBytesMax, 'f');
  UdpJoin join(2 * kUdpBodyBytesMax);
  join.begin(7);
  EXPECT_EQ(join.take(bytes("\0\7\0\0\0\1\0"sv)), Taken::Malformed);             // no header
  EXPECT_EQ(join.take(bytes(framed({7, 0, 0}, ""))), Taken::Malformed);          // what memcached sends after quit
  EXPECT_EQ(join.take(bytes(framed({7, 0, 1}, ""))), Taken::Malformed);          // nothing in it
  EXPECT_EQ(join.take(bytes(framed({7, 2, 2}, "x"))), Taken::Malformed);         // behind the last
  EXPECT_EQ(join.take(bytes(framed({7, 0, 2}, "x"))), Taken::Malformed);         // short, and not the last
  EXPECT_EQ(join.take(bytes(framed({7, 0, 1}, full + "x"))), Taken::Malformed);  // over 1400
  EXPECT_EQ(join.take(bytes(framed({7, 2, 3}, "x"))), Taken::Malformed);         // more than it has room for
  EXPECT_EQ(join.take(bytes(framed({7, 0, 2}, full))), Taken::Part);             // none of those left a trace
  EXPECT_EQ(join.take(bytes(framed({7, 0, 1}, "END\r\n"))), Taken::Malformed);   // of another total
  EXPECT_EQ(join.take(bytes(framed({7, 1, 2}, "END\r\n"))), Taken::Complete);
}

}  // namespace
}  // namespace millrace::protocol
