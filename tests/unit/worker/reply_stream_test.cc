#include "worker/reply_stream.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "worker/connection.h"

namespace millrace::worker {
namespace {

/// Lends strings: a Loan's item pointer is a string, handed out 1000 bytes at a time.
class StringLoans final : public LoanReader {
 public:
  std::span<const char> lent_next(const Loan& loan, store::ValueCursor& cursor) const noexcept override {
    const auto& text = *reinterpret_cast<const std::string*>(loan.item);
    const std::size_t size = std::min<std::size_t>(1000, text.size() - cursor.at);
    const std::span<const char> part{text.data() + cursor.at, size};
    cursor.at += static_cast<std::uint32_t>(size);
    return part;
  }
  void give_back(const Loan&) noexcept override { ++given_back; }

  static Loan of(const std::string& text) {
    return {.item = reinterpret_cast<const store::Item*>(&text),
            .ref = store::ItemRef{1},
            .owner = 0,
            .value_bytes = static_cast<std::uint32_t>(text.size())};
  }
  int given_back = 0;
};

class ReplyStreamTest : public ::testing::Test {
 protected:
  ~ReplyStreamTest() override {
    while (stream.sends_in_flight() > 0) {
      stream.on_released(memory, loans);
    }
    stream.drop(memory, loans);
    EXPECT_EQ(memory.nodes_in_use(), orphans);
    EXPECT_EQ(memory.buffers_in_use(), 0U);
  }

  /// What the next Send would carry; empty when there is none.
  std::string gather() {
    GatheredSend send;
    if (!stream.gather(memory, loans, send)) {
      return {};
    }
    std::string bytes;
    for (std::uint32_t i = 0; i < send.slice_count; ++i) {
      bytes.append(send.slices[i].data, send.slices[i].size);
    }
    EXPECT_EQ(bytes.size(), send.bytes);
    slices = send.slice_count;
    return bytes;
  }
  ReplyNode* hole(bool is_silent = false) {
    ReplyNode* node = ReplyStream::make_hole(memory, nullptr, is_silent);
    stream.link_hole(node);
    return node;
  }

  ReplyMemory memory;
  ReplyStream stream;
  StringLoans loans;
  std::uint32_t slices = 0;
  std::uint64_t orphans = 0;
};

TEST_F(ReplyStreamTest, BytesWrittenOneAfterAnotherAreOneSlice) {
  stream.append(memory, "one ");
  stream.append(memory, "two ");
  stream.append(memory, "three");
  EXPECT_EQ(gather(), "one two three");
  EXPECT_EQ(slices, 1U);
  EXPECT_FALSE(stream.has_sendable());
  EXPECT_FALSE(stream.is_empty()) << "not released yet";
  stream.on_released(memory, loans);
  EXPECT_TRUE(stream.is_empty());
}

TEST_F(ReplyStreamTest, WhatStandsBehindAHoleWaits) {
  stream.append(memory, "a");
  ReplyNode* first = hole();
  stream.append(memory, "c");
  ReplyNode* second = hole();
  stream.append(memory, "e");
  EXPECT_EQ(gather(), "a");
  stream.fill_hole(memory, second, "d", nullptr);
  EXPECT_EQ(gather(), "") << "the first hole is still open";
  stream.fill_hole(memory, first, "b", nullptr);
  EXPECT_EQ(gather(), "bcde");
}

TEST_F(ReplyStreamTest, AnEmptyAnswerLeavesNothingToSend) {
  ReplyNode* only = hole();
  stream.fill_hole(memory, only, "", nullptr);
  EXPECT_EQ(gather(), "");
  EXPECT_TRUE(stream.is_empty());
}

TEST_F(ReplyStreamTest, ASilentHoleIsWaitedForAndSaysNothing) {
  stream.append(memory, "a");
  ReplyNode* silent = hole(true);
  stream.append(memory, "b");
  EXPECT_EQ(gather(), "a");
  EXPECT_EQ(gather(), "") << "its request was not carried out yet";
  stream.fill_hole(memory, silent, "STORED\r\n", nullptr);
  EXPECT_EQ(gather(), "b");
}

TEST_F(ReplyStreamTest, ManySmallPiecesAreCopiedTogether) {
  std::vector<ReplyNode*> holes;
  std::string expected;
  for (int i = 0; i < 12; ++i) {
    stream.append(memory, "local" + std::to_string(i));
    holes.push_back(hole());
  }
  for (int i = 0; i < 12; ++i) {
    stream.fill_hole(memory, holes[static_cast<std::size_t>(i)], "remote" + std::to_string(i), nullptr);
    expected += "local" + std::to_string(i) + "remote" + std::to_string(i);
  }
  EXPECT_EQ(gather(), expected);
  EXPECT_EQ(slices, 1U);
}

TEST_F(ReplyStreamTest, ALoanIsGivenBackOnceWhenItsLastByteIsReleased) {
  const std::string value(70'500, 'v');  // more pieces than one Send may have slices
  stream.append(memory, "VALUE\r\n");
  stream.append_loan(memory, StringLoans::of(value));
  stream.append(memory, "\r\nEND\r\n");
  std::string got = gather();
  EXPECT_EQ(slices, kSlicesPerSendMax);
  got += gather();
  EXPECT_EQ(got, "VALUE\r\n" + value + "\r\nEND\r\n");
  stream.on_released(memory, loans);
  EXPECT_EQ(loans.given_back, 0);
  stream.on_released(memory, loans);
  EXPECT_EQ(loans.given_back, 1);
}

TEST_F(ReplyStreamTest, ALoanThatFillsAHoleGetsItsCrlf) {
  const std::string value(5000, 'w');
  ReplyNode* only = hole();
  stream.append(memory, "END\r\n");
  const Loan loan = StringLoans::of(value);
  stream.fill_hole(memory, only, "VALUE k 0 5000\r\n", &loan);
  EXPECT_EQ(gather(), "VALUE k 0 5000\r\n" + value + "\r\nEND\r\n");
}

TEST_F(ReplyStreamTest, ALoanWithoutALineEndIsFollowedByWhatComesNext) {
  const std::string value(5000, 'w');
  ReplyNode* only = hole();
  stream.append(memory, "next");
  const Loan loan = StringLoans::of(value);
  stream.fill_hole(memory, only, "header", &loan, false);
  EXPECT_EQ(gather(), "header" + value + "next");
}

TEST_F(ReplyStreamTest, NoMoreSendsThanMayBeInFlight) {
  for (std::uint32_t i = 0; i < ReplyStream::kSendsInFlightMax; ++i) {
    stream.append(memory, "x");
    EXPECT_EQ(gather(), "x");
  }
  stream.append(memory, "y");
  EXPECT_EQ(gather(), "");
  stream.on_released(memory, loans);
  EXPECT_EQ(gather(), "y");
}

TEST_F(ReplyStreamTest, TheLimitIsReachedAndLeft) {
  const std::string big(kUnsentBytesMax / 2, 'z');
  stream.append(memory, big);
  EXPECT_FALSE(stream.is_over_limit());
  stream.append(memory, big);
  stream.append(memory, "!");
  EXPECT_TRUE(stream.is_over_limit());
  std::string got;
  for (std::string part = gather(); !part.empty(); part = gather()) {
    got += part;
  }
  EXPECT_EQ(got.size(), kUnsentBytesMax + 1U);
  EXPECT_TRUE(stream.is_over_limit()) << "sent is not released";
  while (stream.sends_in_flight() > 0) {
    stream.on_released(memory, loans);
  }
  EXPECT_TRUE(stream.is_below_half_limit());
}

TEST_F(ReplyStreamTest, ADroppedStreamLeavesItsHolesToTheirAnswers) {
  stream.append(memory, "a");
  ReplyNode* orphan = hole();
  stream.append_loan(memory, StringLoans::of("unused"));
  stream.drop(memory, loans);
  EXPECT_EQ(loans.given_back, 1);
  EXPECT_EQ(memory.nodes_in_use(), 1U);
  memory.free_node(orphan);
}

TEST_F(ReplyStreamTest, WhileASendIsInFlightRepliesDoNotHoldTheSharedBuffer) {
  stream.append(memory, "first");
  EXPECT_EQ(gather(), "first");
  stream.append(memory, "second");
  ReplyStream other;
  other.append(memory, "other");
  GatheredSend send;
  ASSERT_TRUE(other.gather(memory, loans, send));
  other.on_released(memory, loans);
  // The shared buffer is held by "first" alone; "second" lies in the stream's own.
  EXPECT_EQ(memory.buffers_in_use(), 2U);
  stream.on_released(memory, loans);
  EXPECT_EQ(memory.buffers_in_use(), 1U);
}

}  // namespace
}  // namespace millrace::worker
