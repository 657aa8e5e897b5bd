// SendQueue: what goes out, in which order it is released, and what zero-copy notifications hold up.
#include "dataplane/uring/send_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace millrace::uring {
namespace {

using dataplane::Slice;

Slice slice(std::string_view bytes) { return {bytes.data(), static_cast<std::uint32_t>(bytes.size())}; }

/// The bytes of the current record that the kernel would be given.
std::string unsent(SendQueue& queue) {
  const SendRecord& record = queue.current();
  std::string bytes;
  for (std::uint32_t i = 0; i < record.slices_left; ++i) {
    bytes.append(static_cast<const char*>(record.next[i].iov_base), record.next[i].iov_len);
  }
  return bytes;
}

class SendQueueTest : public testing::Test {
 protected:
  void push(std::uint64_t token, const std::vector<Slice>& slices) { queue.push(token, slices, pool); }
  void advance(std::uint64_t bytes) { queue.advance(bytes, pool); }

  SlicePool pool;
  SendQueue queue;
};

TEST_F(SendQueueTest, OneSlice) {
  push(1, {slice("hello")});
  EXPECT_TRUE(queue.has_unsent());
  EXPECT_EQ(queue.current().block, nullptr);
  EXPECT_EQ(unsent(queue), "hello");
  EXPECT_FALSE(queue.is_first_released());
  advance(2);
  EXPECT_EQ(unsent(queue), "llo");
  EXPECT_FALSE(queue.is_first_released());
  advance(3);
  EXPECT_FALSE(queue.has_unsent());
  ASSERT_TRUE(queue.is_first_released());
  EXPECT_EQ(queue.pop_released(), 1U);
  EXPECT_TRUE(queue.empty());
}

TEST_F(SendQueueTest, AShortSendEndsInsideASlice) {
  push(1, {slice("ab"), slice(""), slice("cde"), slice("f")});
  EXPECT_EQ(unsent(queue), "abcdef");
  advance(3);
  EXPECT_EQ(unsent(queue), "def");
  advance(2);  // at the end of a slice
  EXPECT_EQ(unsent(queue), "f");
  advance(1);
  EXPECT_TRUE(queue.is_first_released());
}

TEST_F(SendQueueTest, NothingToSendIsReleasedInItsTurn) {
  push(1, {});
  EXPECT_TRUE(queue.is_first_released());
  push(2, {slice("x")});
  push(3, {slice(""), slice("")});
  EXPECT_EQ(queue.pop_released(), 1U);
  EXPECT_FALSE(queue.is_first_released());
  EXPECT_EQ(unsent(queue), "x");
  advance(1);
  EXPECT_EQ(queue.pop_released(), 2U);
  EXPECT_EQ(queue.pop_released(), 3U);
  EXPECT_TRUE(queue.empty());
}

TEST_F(SendQueueTest, ANotificationHoldsUpItsRecordAndThoseBehind) {
  push(1, {slice("ab")});
  push(2, {slice("cd")});
  const std::uint8_t first = queue.current_index();
  ++queue.record(first).notifications;
  advance(1);
  ++queue.record(first).notifications;  // the rest went out with a send of its own
  advance(1);
  advance(2);
  EXPECT_FALSE(queue.has_unsent());
  EXPECT_FALSE(queue.is_first_released());
  --queue.record(first).notifications;
  EXPECT_FALSE(queue.is_first_released());
  --queue.record(first).notifications;
  EXPECT_EQ(queue.pop_released(), 1U);
  EXPECT_EQ(queue.pop_released(), 2U);
}

TEST_F(SendQueueTest, DroppingKeepsWhatTheKernelStillReads) {
  push(1, {slice("ab"), slice("cd")});
  push(2, {slice("e")});
  const std::uint8_t first = queue.current_index();
  ++queue.record(first).notifications;
  advance(3);
  queue.drop_unsent(pool);
  EXPECT_FALSE(queue.has_unsent());
  EXPECT_FALSE(queue.is_first_released());
  --queue.record(first).notifications;
  EXPECT_EQ(queue.pop_released(), 1U);
  EXPECT_EQ(queue.pop_released(), 2U);
}

TEST_F(SendQueueTest, RoomForSoMany) {
  for (std::uint32_t i = 0; i < kSendsPerConnection; ++i) {
    ASSERT_TRUE(queue.has_room());
    push(i, {slice("x")});
  }
  EXPECT_FALSE(queue.has_room());
  advance(1);
  queue.pop_released();
  EXPECT_TRUE(queue.has_room());
}

TEST_F(SendQueueTest, BlocksComeBack) {
  push(1, std::vector<Slice>(kSlicesPerSend, slice("x")));
  const SliceBlock* block = queue.current().block;
  ASSERT_NE(block, nullptr);
  advance(kSlicesPerSend);
  EXPECT_EQ(pool.take(), block);
}

TEST(SlicePool, GrowsAndReuses) {
  SlicePool pool;
  std::vector<SliceBlock*> blocks;
  for (int i = 0; i < 200; ++i) {
    blocks.push_back(pool.take());
    blocks.back()->message.msg_iovlen = static_cast<std::size_t>(i);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i]->message.msg_iovlen, i);  // no block was given out twice
  }
  SliceBlock* last = blocks.back();
  pool.give_back(last);
  EXPECT_EQ(pool.take(), last);
}

/// Sends of random slices go out in random pieces, some with notifications that come at random.
TEST_F(SendQueueTest, AllBytesOnceAndInOrder) {
  std::mt19937_64 random(tests::test_seed());
  const auto pick = [&](std::uint64_t low, std::uint64_t high) { return low + random() % (high - low + 1); };
  std::deque<std::string> lent;  // of the records in the queue
  std::deque<std::uint64_t> tokens;
  std::vector<std::uint8_t> notifications;
  std::string expected;
  std::string out;
  for (std::uint64_t step = 0; step < 50'000; ++step) {
    if (queue.has_room() && pick(0, 2) == 0) {
      const std::string& bytes = lent.emplace_back(pick(0, 200), static_cast<char>('a' + step % 26));
      std::vector<Slice> slices;
      for (std::size_t at = 0; at < bytes.size() && slices.size() + 1 < kSlicesPerSend;) {
        const std::size_t size = std::min<std::size_t>(pick(0, 20), bytes.size() - at);
        slices.push_back(slice(std::string_view(bytes).substr(at, size)));
        at += size;
        expected += std::string_view(bytes).substr(at - size, size);
      }
      push(step, slices);
      tokens.push_back(step);
    }
    if (queue.has_unsent()) {
      const std::string bytes = unsent(queue).substr(0, pick(1, 150));
      out += bytes;
      if (pick(0, 1) == 0) {
        notifications.push_back(queue.current_index());
        ++queue.record(notifications.back()).notifications;
      }
      advance(bytes.size());
    }
    if (!notifications.empty() && pick(0, 1) == 0) {
      --queue.record(notifications.back()).notifications;
      notifications.pop_back();
    }
    while (queue.is_first_released()) {
      ASSERT_EQ(queue.pop_released(), tokens.front());
      tokens.pop_front();
      lent.pop_front();
    }
    ASSERT_EQ(queue.empty(), tokens.empty());
  }
  while (queue.has_unsent()) {
    out += unsent(queue);
    advance(queue.current().bytes_left);
  }
  EXPECT_EQ(out, expected);
}

}  // namespace
}  // namespace millrace::uring
