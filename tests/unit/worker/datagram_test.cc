// What a worker does with datagrams that are no request, ask too much, or come from somebody who may not ask for it.

#include <gtest/gtest.h>

#include <string>

#include "support/datagram_asker.h"
#include "support/sim_world.h"

namespace millrace::tests {
namespace {

class DatagramTest : public testing::Test {
 protected:
  void make(const SimOptions& options) { world_ = std::make_unique<SimWorld>(options); }
  void SetUp() override { make({.workers = 1}); }

  worker::WorkerCounters& counters(WorkerId id = 0) { return world_->worker(id).counters(); }
  SimTransport& transport() { return world_->transport(0); }
  /// Turns of every worker until nothing is owed.
  void settle() {
    world_->run(400 * world_->workers());
    for (SimDatagram& datagram : transport().take_datagrams()) {
      asker_.take(datagram);
    }
  }
  std::string ask(const std::string& commands) {
    asker_.ask(transport(), commands);
    settle();
    EXPECT_EQ(world_->worker(0).exchanges().count(), 0U);
    return asker_.answer();
  }

  std::unique_ptr<SimWorld> world_;
  DatagramAsker asker_{1};
};

TEST_F(DatagramTest, OneKeyIsAnsweredWithoutAnExchange) {
  EXPECT_EQ(ask("set a 7 0 3\r\nabc\r\n"), "STORED\r\n");
  EXPECT_EQ(ask("get a\r\n"), "VALUE a 7 3\r\nabc\r\nEND\r\n");
  EXPECT_EQ(ask("get b\r\n"), "END\r\n");
  EXPECT_EQ(ask("delete a\r\n"), "DELETED\r\n");
  EXPECT_EQ(ask("set n 0 0 1\r\n5\r\n"), "STORED\r\n");
  EXPECT_EQ(ask("incr n 4\r\n"), "9\r\n");
  EXPECT_EQ(ask("touch n 100\r\n"), "TOUCHED\r\n");
  EXPECT_EQ(ask("set q 0 0 1 noreply\r\n5\r\n"), "");
  EXPECT_EQ(counters().udp_requests, 8U);
  EXPECT_EQ(counters().udp_exchanges, 0U);
}

TEST_F(DatagramTest, SeveralCommandsAndKeysAreOneAnswer) {
  EXPECT_EQ(ask("set a 0 0 1\r\nx\r\nset b 0 0 1\r\ny\r\nget a b c\r\nversionx\r\n"),
            "STORED\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\nERROR\r\n");
  EXPECT_EQ(counters().udp_exchanges, 1U);
}

TEST_F(DatagramTest, ALargeValueIsCutIntoDatagramsAcrossTurns) {
  for (const std::uint32_t lend_bytes_min : {0U, 512U}) {
    make({.workers = 1, .arena_bytes = std::size_t{48} << 20, .datagram_lend_bytes_min = lend_bytes_min});
    const std::string value(1000 * 1000, 'v');
    EXPECT_EQ(ask("set a 0 0 1000000\r\n" + value + "\r\n"), "STORED\r\n");
    const std::uint64_t before = asker_.datagrams();
    EXPECT_TRUE(ask("get a\r\n") == "VALUE a 0 1000000\r\n" + value + "\r\nEND\r\n");
    EXPECT_EQ(asker_.datagrams() - before, (19 + 1000000 + 2 + 5 + 1391) / 1392);
    EXPECT_EQ(world_->worker(0).partition().counters().pins, 0U);
  }
}

TEST_F(DatagramTest, WhatIsNoRequestIsCountedAndNotAnswered) {
  dataplane::DatagramFlow flow = asker_.flow();
  transport().datagram(flow, "");
  transport().datagram(flow, "1234567");
  transport().datagram(flow, std::string("\0\1\0\0\0\2\0\0get a\r\n", 15));
  transport().datagram(flow, std::string("\0\1\0\0\0\0\0\0get a\r\n", 15));
  settle();
  EXPECT_EQ(counters().udp_drop_no_header, 2U);
  EXPECT_EQ(counters().udp_drop_not_whole, 2U);
  EXPECT_EQ(counters().udp_requests, 0U);
  EXPECT_EQ(asker_.datagrams(), 0U);
}

TEST_F(DatagramTest, ACommandEndsWithItsDatagram) {
  EXPECT_EQ(ask("get a"), "");
  EXPECT_EQ(ask("xyz\r\nget b\r\n"), "ERROR\r\nEND\r\n");  // not "get a" continued
  EXPECT_EQ(ask("set a 0 0 10\r\nabc"), "");
  EXPECT_EQ(ask("get a\r\n"), "END\r\n");
  EXPECT_EQ(ask("get b\r\nset a 0 0 2000\r\nabc"), "END\r\n");
  EXPECT_EQ(counters().udp_drop_unfinished, 3U);
  EXPECT_EQ(world_->worker(0).partition().counters().reservations, 0U);
}

TEST_F(DatagramTest, AnUnfinishedValueOfANeighbourIsGivenBack) {
  make({.workers = 3});
  for (int key = 0; key < 12; ++key) {
    EXPECT_EQ(ask("set k" + std::to_string(key) + " 0 0 50000\r\n" + std::string(20000, 'x')), "");
  }
  EXPECT_EQ(counters().udp_drop_unfinished, 12U);
  for (WorkerId id = 0; id < 3; ++id) {
    EXPECT_EQ(world_->worker(id).partition().counters().reservations, 0U);
  }
  EXPECT_EQ(world_->worker(0).holes_outstanding(), 0U);
}

TEST_F(DatagramTest, QuitAndNothingSayNothing) {
  EXPECT_EQ(ask("quit\r\n"), "");
  EXPECT_EQ(ask(""), "");
  EXPECT_EQ(ask("get a\r\nquit\r\nget b\r\n"), "END\r\n");
  EXPECT_EQ(asker_.datagrams(), 1U);
}

TEST_F(DatagramTest, AdministratorsCommandsAreServed) {
  make({.workers = 3});
  const std::string stats = ask("stats\r\n");
  EXPECT_TRUE(stats.starts_with("STAT pid "));
  EXPECT_TRUE(stats.ends_with("END\r\n"));
  EXPECT_NE(stats.find("STAT millrace_udp_requests 1\r\n"), std::string::npos);
  EXPECT_EQ(ask("flush_all\r\n"), "OK\r\n");
  EXPECT_EQ(ask("shutdown\r\n"), "SERVER_ERROR: shutdown not enabled\r\n");
}

TEST_F(DatagramTest, StrangersGetNoMoreThanTheySent) {
  make({.workers = 2, .udp_allow = {*dataplane::IpPrefix::parse("fd00::/8")}});
  EXPECT_EQ(ask("set a 0 0 60\r\n" + std::string(60, 'x') + "\r\n"), "STORED\r\n");  // by the stranger ::1
  EXPECT_EQ(ask("get a\r\n"), "");
  EXPECT_EQ(ask("get nobodyhasthis\r\n"), "END\r\n");
  EXPECT_EQ(ask("stats\r\n"), "");
  EXPECT_EQ(ask("get a a\r\n"), "");
  EXPECT_EQ(counters().udp_drop_amplifies, 3U);
  asker_.flow().peer = {0xfd, 0, 1};
  EXPECT_TRUE(ask("get a\r\n").starts_with("VALUE a 0 60\r\n"));
  asker_.flow().peer = {0xfe, 0, 1};
  EXPECT_EQ(ask("get a\r\n"), "");  // whoever asked before him says nothing for him
}

TEST_F(DatagramTest, AnAnswerHasABound) {
  make({.workers = 1, .arena_bytes = std::size_t{48} << 20});
  EXPECT_EQ(ask("set small 0 0 4000\r\n" + std::string(4000, 's') + "\r\n"), "STORED\r\n");
  EXPECT_EQ(ask("set large 0 0 9000\r\n" + std::string(9000, 'l') + "\r\n"), "STORED\r\n");
  const auto keys = [](const std::string& key, int count) {
    std::string line = "get";
    for (int i = 0; i < count; ++i) {
      line += " " + key;
    }
    return line + "\r\n";
  };
  EXPECT_EQ(ask(keys("large", 64)).size(), 64 * (20 + 9000 + 2) + 5U);
  EXPECT_EQ(ask(keys("large", 65)), "SERVER_ERROR response too long for UDP\r\n");
  EXPECT_EQ(ask(keys("small", 60)).size(), 60 * (20 + 4000 + 2) + 5U);
  EXPECT_EQ(ask(keys("small", 1000) + "get small\r\n"), "SERVER_ERROR response too long for UDP\r\n");
  EXPECT_EQ(world_->worker(0).reply_memory().nodes_in_use(), 0U);
  EXPECT_EQ(world_->worker(0).partition().counters().pins, 0U);
}

TEST_F(DatagramTest, TooManyThatWaitAreDropped) {
  make({.workers = 2});
  dataplane::DatagramFlow flow = asker_.flow();
  std::string asks_all("\0\1\0\0\0\1\0\0get", 11);
  for (int key = 0; key < 20; ++key) {
    asks_all += " k" + std::to_string(key);
  }
  asks_all += "\r\n";
  for (std::uint32_t i = 0; i < worker::kExchangesMax + 100; ++i) {
    transport().datagram(flow, asks_all);
  }
  while (!transport().has_told_datagrams()) {
    world_->worker(0).turn(false);  // its neighbour never moves
  }
  EXPECT_GE(counters().udp_drop_no_exchange, 1U);
  EXPECT_LE(world_->worker(0).exchanges().count(), worker::kExchangesMax);
  world_->run(20000);
  EXPECT_EQ(world_->worker(0).exchanges().count(), 0U);
  EXPECT_TRUE(world_->worker(0).is_drained());
  EXPECT_EQ(transport().take_datagrams().size(), worker::kExchangesMax + 100 - counters().udp_drop_no_exchange);
}

}  // namespace
}  // namespace millrace::tests
