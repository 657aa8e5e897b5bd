#include "mesh/slot_ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "support/seed.h"

namespace millrace::mesh {
namespace {

bool push(SlotRing& ring, std::uint8_t detail, std::uint32_t slots, std::uint64_t number) {
  std::byte* run = ring.reserve(slots);
  if (run == nullptr) {
    return false;
  }
  const MessagePrefix prefix{.kind = 1, .detail = detail, .slots = static_cast<std::uint16_t>(slots)};
  std::memcpy(run, &prefix, sizeof(prefix));
  std::memcpy(run + 8, &number, sizeof(number));
  // The last slot too, so that a run that wrapped would show.
  std::memcpy(run + std::size_t{slots} * kSlotBytes - 8, &number, sizeof(number));
  ring.commit(slots);
  return true;
}

struct Popped {
  bool found = false;
  std::uint64_t number = 0;
  std::uint32_t slots = 0;
};

Popped pop(SlotRing& ring) {
  const std::byte* message = ring.front();
  if (message == nullptr) {
    return {};
  }
  MessagePrefix prefix;
  std::memcpy(&prefix, message, sizeof(prefix));
  Popped popped{.found = true, .slots = prefix.slots};
  std::memcpy(&popped.number, message + 8, 8);
  std::uint64_t last = 0;
  std::memcpy(&last, message + std::size_t{prefix.slots} * kSlotBytes - 8, 8);
  EXPECT_EQ(last, popped.number);
  ring.pop(prefix.slots);
  return popped;
}

TEST(SlotRing, NothingIsSeenBeforeItIsPublished) {
  SlotRing ring(16);
  ASSERT_TRUE(push(ring, 0, 2, 7));
  EXPECT_EQ(ring.front(), nullptr);
  EXPECT_TRUE(ring.has_unpublished());
  EXPECT_TRUE(ring.is_empty_for_sleep());
  ring.publish();
  EXPECT_FALSE(ring.is_empty_for_sleep());
  EXPECT_EQ(pop(ring).number, 7U);
  EXPECT_EQ(ring.front(), nullptr);
}

TEST(SlotRing, RefusesWhenFullAndTakesAgainWhenReleased) {
  SlotRing ring(16);
  for (std::uint64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(push(ring, 0, 4, i));
  }
  EXPECT_FALSE(push(ring, 0, 1, 99));
  ring.publish();
  EXPECT_EQ(pop(ring).number, 0U);
  EXPECT_FALSE(push(ring, 0, 1, 99)) << "popped, but not given back";
  ring.release();
  EXPECT_TRUE(push(ring, 0, 4, 4));
}

TEST(SlotRing, ARunThatWouldWrapBeginsAtTheStart) {
  SlotRing ring(16);
  for (int i = 0; i < 5; ++i) {  // tail at slot 15
    ASSERT_TRUE(push(ring, 0, 3, 1));
    ring.publish();
    pop(ring);
    ring.release();
  }
  ASSERT_TRUE(push(ring, 0, 4, 42));  // 1 slot skipped
  ring.publish();
  EXPECT_EQ(pop(ring).number, 42U);
}

TEST(SlotRing, OneThreadPushesAnotherPops) {
  constexpr std::uint64_t kMessages = 300'000;
  SlotRing ring(256);
  const std::uint64_t seed = tests::test_seed();
  std::thread producer([&] {
    std::mt19937_64 random(seed);
    for (std::uint64_t i = 0; i < kMessages;) {
      const std::uint64_t batch = 1 + random() % 20;
      for (std::uint64_t b = 0; b < batch && i < kMessages; ++b) {
        if (!push(ring, 0, 1 + static_cast<std::uint32_t>(random() % 22), i)) {
          break;
        }
        ++i;
      }
      ring.publish();
      if (random() % 64 == 0) {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 0;
  while (expected < kMessages) {
    const Popped popped = pop(ring);
    if (!popped.found) {
      ring.release();
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(popped.number, expected);
    ++expected;
    if (expected % 7 == 0) {
      ring.release();
    }
  }
  producer.join();
}

}  // namespace
}  // namespace millrace::mesh
