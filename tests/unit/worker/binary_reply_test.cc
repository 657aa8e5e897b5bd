// What an administrator's command says, as binary packets.

#include "worker/admin/binary_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::worker {
namespace {

using protocol::binary::Asked;
using protocol::binary::kHeaderBytes;
using protocol::binary::read_header;

constexpr Asked kAsked{.opcode = 0x10, .opaque = 7};

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Name and value of each packet; all are answers to kAsked that went well.
Pairs packets_of(std::string_view bytes) {
  Pairs all;
  while (bytes.size() >= kHeaderBytes) {
    const auto header = read_header(bytes.data());
    EXPECT_EQ(header.opcode, kAsked.opcode);
    EXPECT_EQ(header.opaque, kAsked.opaque);
    EXPECT_EQ(header.status, 0);
    const std::string_view body = bytes.substr(kHeaderBytes, header.body_bytes);
    all.emplace_back(body.substr(0, header.key_bytes), body.substr(header.key_bytes));
    bytes.remove_prefix(kHeaderBytes + header.body_bytes);
  }
  EXPECT_TRUE(bytes.empty());
  return all;
}

TEST(BinaryReply, AStatisticIsAPacketAndTheEndAnEmptyOne) {
  BinaryReply reply(kAsked);
  reply.stat("pid", std::uint64_t{12});
  reply.stat("addr", std::string_view("tcp:a b"));
  reply.stat("items:", 3, "number", 9);
  reply.end_stats();
  EXPECT_EQ(packets_of(reply.take()), (Pairs{{"pid", "12"}, {"addr", "tcp:a b"}, {"items:3:number", "9"}, {"", ""}}));
  EXPECT_EQ(reply.take(), "") << "what was taken is gone";
}

TEST(BinaryReply, WordsAreTheEmptyPacket) {
  for (const std::string_view word : {"OK\r\n", "RESET\r\n", "END\r\n"}) {
    BinaryReply reply(kAsked);
    reply.line(word);
    EXPECT_EQ(packets_of(reply.take()), (Pairs{{"", ""}})) << word;
  }
}

TEST(BinaryReply, PrefixesAreOneStatistic) {
  BinaryReply reply(kAsked);
  reply.line("PREFIX a get 1\r\n");
  reply.line("PREFIX b get 2\r\n");
  reply.line("END\r\n");
  EXPECT_EQ(packets_of(reply.take()), (Pairs{{"detailed", "PREFIX a get 1\r\nPREFIX b get 2\r\nEND\r\n"}, {"", ""}}));
}

TEST(BinaryReply, ErrorsAreNotFound) {
  for (const std::string_view error :
       {"ERROR\r\n", "CLIENT_ERROR usage: stats detail on|off|dump\r\n", "SERVER_ERROR no\r\n"}) {
    BinaryReply reply(kAsked);
    reply.line(error);
    const std::string bytes = reply.take();
    EXPECT_EQ(read_header(bytes.data()).status, 1) << error;
    EXPECT_EQ(bytes.substr(kHeaderBytes), "Not found");
  }
}

}  // namespace
}  // namespace millrace::worker
