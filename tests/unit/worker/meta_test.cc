// Meta commands end to end, without a network: one worker, and three of which most keys belong to another. What comes
// back is exact, whoever owns the key and however long the value is.
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "support/sim_world.h"

namespace millrace::tests {
namespace {

class Meta : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  SimWorld world{{.seed = 11, .workers = GetParam()}};
  SimClient& client = world.open(0);

  std::string ask(const std::string& sent) {
    client.received.clear();
    client.to_server += sent;
    world.run(400 * GetParam());
    return client.received;
  }
};

TEST_P(Meta, GetsAndSets) {
  EXPECT_EQ(ask("mg a v\r\n"), "EN\r\n");
  EXPECT_EQ(ask("ms a 2 T90 F7\r\nhi\r\n"), "HD\r\n");
  EXPECT_EQ(ask("mg a\r\n"), "HD\r\n");
  EXPECT_EQ(ask("mg a s v t f k Oab\r\n"), "VA 2 s2 t90 f7 ka Oab\r\nhi\r\n");
  EXPECT_EQ(ask("mg a t T30 v\r\nmg a T40 t\r\n"), "VA 2 t90\r\nhi\r\nHD t40\r\n");
  EXPECT_EQ(ask("ms a 2 MA k s\r\nho\r\nmg a v\r\n"), "HD ka s4\r\nVA 4\r\nhiho\r\n");
  EXPECT_EQ(ask("get a\r\n"), "VALUE a 7 4\r\nhiho\r\nEND\r\n");
}

TEST_P(Meta, QuietSaysOnlyWhatIsNotExpected) {
  EXPECT_EQ(ask("ms a 1 q\r\nx\r\nms b 1 q\r\ny\r\nms a 1 q ME k\r\nz\r\nmn\r\n"), "NS ka\r\nMN\r\n");
  EXPECT_EQ(ask("mg a q v k\r\nmg none q v k\r\nmg b q v k\r\nmn\r\n"), "VA 1 ka\r\nx\r\nVA 1 kb\r\ny\r\nMN\r\n");
  EXPECT_EQ(ask("md a q\r\nmd a q O7\r\nma n q\r\nma n q N0 J5\r\nma n q v\r\nmn\r\nmg n v\r\n"),
            "NF O7\r\nNF\r\nMN\r\nVA 1\r\n6\r\n");
  EXPECT_EQ(ask("mg a q y\r\nms a 3 q\r\nabcd\r\n"),
            "CLIENT_ERROR invalid flag\r\nCLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\n");
}

TEST_P(Meta, OneClientRenewsWhatIsStale) {
  ask("ms a 3 T90\r\nold\r\n");
  EXPECT_EQ(ask("mg a v R30\r\nmg a v R100\r\nmg a v R100\r\n"), "VA 3\r\nold\r\nVA 3 W\r\nold\r\nVA 3 Z\r\nold\r\n");
  EXPECT_EQ(ask("md a I T60\r\nmg a v t\r\nmg a v t\r\nms a 3\r\nnew\r\nmg a v t\r\n"),
            "HD\r\nVA 3 t60 X W\r\nold\r\nVA 3 t60 Z X\r\nold\r\nHD\r\nVA 3 t-1\r\nnew\r\n");
  EXPECT_EQ(ask("mg none N30 v t\r\nmg none N30 v t\r\nms none 1 T10\r\nx\r\nmg none N30 v t\r\n"),
            "VA 0 t30 W\r\n\r\nVA 0 t30 Z\r\n\r\nHD\r\nVA 1 t10\r\nx\r\n");
}

TEST_P(Meta, CasNumbersGivenAndCompared) {
  EXPECT_EQ(ask("ms a 1 E100 c\r\nx\r\nmg a c v\r\n"), "HD c100\r\nVA 1 c100\r\nx\r\n");
  EXPECT_EQ(ask("mg a C100 c v\r\nmg a C99 c v\r\n"), "HD c100\r\nVA 1 c100\r\nx\r\n");
  EXPECT_EQ(ask("ms a 1 C99\r\ny\r\nms a 1 C99 I E101\r\ny\r\nmg a v c\r\n"), "EX\r\nHD\r\nVA 1 c101 X W\r\ny\r\n");
  EXPECT_EQ(ask("md a C1\r\nma n N0 J5 E7 c\r\nma n C8\r\nma n C7 E18446744073709551615 c v\r\n"),
            "EX\r\nHD c7\r\nEX\r\nVA 1 c18446744073709551615\r\n6\r\n");
  EXPECT_EQ(ask("md a x E9\r\nmg a v c s\r\n"), "HD\r\nVA 0 c9 s0\r\n\r\n");
}

TEST_P(Meta, ValuesOfEverySizeWholeAndInPieces) {
  for (const std::size_t size : {0U, 1U, 1000U, 1024U, 1025U, 4096U, 4097U, 30'000U, 300'000U}) {
    const std::string value(size, static_cast<char>('a' + size % 26));
    const std::string head = "ms key 0 " + std::to_string(size);
    for (const std::string& flags : {std::string(" k s Oq"), std::string(" k s Oq E5 T7")}) {
      client.received.clear();
      client.to_server = "ms key " + std::to_string(size) + flags + "\r\n" + value + "\r\nmg key v k t\r\nmn\r\n";
      world.run(6000 * GetParam());
      const std::string ttl = flags.ends_with("T7") ? "7" : "-1";
      ASSERT_EQ(client.received, "HD kkey s" + std::to_string(size) + " Oq\r\nVA " + std::to_string(size) + " kkey t" +
                                     ttl + "\r\n" + value + "\r\nMN\r\n");
    }
  }
}

TEST_P(Meta, TooLargeIsRefusedAndPassedOver) {
  const std::string value(1'200'000, 'v');
  client.to_server = "ms key 1200000 q\r\n" + value + "\r\nmg key\r\n";
  world.run(20'000);
  EXPECT_EQ(client.received, "SERVER_ERROR object too large for cache\r\nEN\r\n");
}

TEST_P(Meta, DebugTellsOfAnItem) {
  ask("ms a 2 E5 T90\r\nhi\r\n");
  EXPECT_TRUE(
      std::regex_match(ask("me a\r\n"), std::regex("ME a exp=90 la=[0-9]+ cas=5 fetch=no cls=[0-9]+ size=[0-9]+\r\n")));
  EXPECT_TRUE(
      std::regex_match(ask("mg a\r\nme YQ== b\r\n"),
                       std::regex("HD\r\nME YQ== exp=90 la=[0-9]+ cas=5 fetch=yes cls=[0-9]+ size=[0-9]+\r\n")));
  EXPECT_EQ(ask("me none\r\n"), "EN\r\n");
}

TEST_P(Meta, CountedAsMemcachedCounts) {
  ask("ms a 1\r\nx\r\nmg a v\r\nmg a v T30\r\nmg none v\r\nmg none v T30\r\nme a\r\nme none\r\nmd a\r\nmd a\r\n");
  const std::string stats = ask("stats\r\n");
  for (const std::string_view line : {"cmd_get 3", "get_hits 1", "get_misses 2", "cmd_touch 1", "touch_hits 1",
                                      "cmd_set 1", "cmd_meta 2", "delete_hits 1", "delete_misses 1"}) {
    EXPECT_NE(stats.find("STAT " + std::string(line) + "\r\n"), std::string::npos) << line << "\n" << stats;
  }
}

TEST_P(Meta, OverDatagrams) {
  const dataplane::DatagramFlow flow{};
  const auto answer = [&](const std::string& commands) {
    world.transport(0).datagram(flow, std::string("\0\1\0\0\0\1\0\0", 8) + commands);
    world.run(2000 * GetParam());
    std::string text;
    for (const SimDatagram& datagram : world.transport(0).take_datagrams()) {
      text += datagram.bytes.substr(8);
    }
    return text;
  };
  EXPECT_EQ(answer("ms a 3 k\r\nabc\r\n"), "HD ka\r\n");
  EXPECT_EQ(answer("mg a v k Oq\r\n"), "VA 3 ka Oq\r\nabc\r\n");
  EXPECT_EQ(answer("mg none q\r\nmg a s\r\nmn\r\n"), "HD s3\r\nMN\r\n");
  const std::string value(5000, 'v');
  ask("ms big 5000\r\n" + value + "\r\n");
  EXPECT_EQ(answer("mg big v\r\n"), "VA 5000\r\n" + value + "\r\n");
}

INSTANTIATE_TEST_SUITE_P(Workers, Meta, ::testing::Values(1U, 3U));

}  // namespace
}  // namespace millrace::tests
