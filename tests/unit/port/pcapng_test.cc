// Byte for byte, as draft-ietf-opsawg-pcapng draws the blocks (on a machine that writes the low byte first).
#include "dataplane/port/pcapng.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::port {
namespace {

using Bytes = std::vector<std::byte>;

/// "0a 0d" -> two bytes.
Bytes hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
    i += 2;
  }
  return bytes;
}

TEST(Pcapng, Section) {
  Bytes out;
  append_section(out);
  EXPECT_EQ(out, hex("0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"));
}

TEST(Pcapng, Interface) {
  Bytes out;
  append_interface(out, "worker 3", 96);
  EXPECT_EQ(out, hex("01000000 2c000000 0100 0000 60000000"
                     "0200 0800 776f726b65722033"
                     "0900 0100 09000000"
                     "00000000 2c000000"));
}

TEST(Pcapng, NameIsPadded) {
  Bytes out;
  append_interface(out, "worker 12", 96);
  EXPECT_EQ(out, hex("01000000 30000000 0100 0000 60000000"
                     "0200 0900 776f726b6572203132000000"
                     "0900 0100 09000000"
                     "00000000 30000000"));
}

TEST(Pcapng, Frame) {
  Bytes out;
  append_frame(out, 0x1122'3344'5566'7788, Direction::Sent, 60, hex("0102030405"));
  EXPECT_EQ(out, hex("06000000 34000000 00000000 44332211 88776655 05000000 3c000000"
                     "0102030405000000"
                     "0200 0400 02000000"
                     "00000000 34000000"));
  EXPECT_EQ(out.size(), frame_block_bytes(5));
}

TEST(Pcapng, BlocksAreAppended) {
  Bytes out;
  append_frame(out, 1, Direction::Received, 0, {});
  append_frame(out, 2, Direction::Received, 4, hex("01020304"));
  EXPECT_EQ(out, hex("06000000 2c000000 00000000 00000000 01000000 00000000 00000000 0200 0400 01000000"
                     "00000000 2c000000"
                     "06000000 30000000 00000000 00000000 02000000 04000000 04000000 01020304 0200 0400 01000000"
                     "00000000 30000000"));
  EXPECT_EQ(out.size(), frame_block_bytes(0) + frame_block_bytes(4));
}

TEST(Pcapng, Statistics) {
  Bytes out;
  append_statistics(out, 0x1'0000'0002, 0x3'0000'0004, 5, 6);
  EXPECT_EQ(out, hex("05000000 4c000000 00000000 03000000 04000000"
                     "0200 0800 01000000 02000000"
                     "0300 0800 03000000 04000000"
                     "0400 0800 0500000000000000"
                     "0500 0800 0600000000000000"
                     "00000000 4c000000"));
  EXPECT_EQ(out.size(), kStatisticsBlockBytes);
}

}  // namespace
}  // namespace millrace::port
