// HeldBytes: the order of the stream, whatever is handed back and whatever arrives.
#include "dataplane/uring/held_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/support/seed.h"

namespace millrace::uring {
namespace {

/// Takes the first chunk out, and its memory back.
std::string take(HeldBytes& held) {
  HeldBytes::Chunk* chunk = held.pop();
  std::string bytes(chunk->bytes());
  HeldBytes::free_chunk(chunk);
  return bytes;
}

std::string take_all(HeldBytes& held) {
  std::string all;
  while (!held.empty()) {
    all += take(held);
  }
  return all;
}

TEST(HeldBytes, WhatArrivesIsLast) {
  HeldBytes held;
  EXPECT_TRUE(held.empty());
  held.append("ab");
  held.append("cd");
  EXPECT_EQ(take(held), "ab");
  EXPECT_EQ(take(held), "cd");
  EXPECT_TRUE(held.empty());
}

TEST(HeldBytes, WhatIsHandedBackIsFirstAndInOrder) {
  HeldBytes held;
  held.append("later");
  held.hand_back("one ", 7);
  held.hand_back("two ", 7);
  EXPECT_EQ(take_all(held), "one two later");
}

TEST(HeldBytes, EachTurnHandsBackInFrontOfWhatTheOneBeforeLeft) {
  HeldBytes held;
  held.hand_back("three ", 1);
  held.hand_back("four", 1);
  EXPECT_EQ(take(held), "three ");
  held.hand_back("ee ", 2);
  EXPECT_EQ(take_all(held), "ee four");
}

TEST(HeldBytes, ArrivalsAfterAHandBackToAnEmptyList) {
  HeldBytes held;
  held.hand_back("one ", 1);
  held.append("two ");
  held.hand_back("and a half ", 1);
  EXPECT_EQ(take_all(held), "one and a half two ");
}

TEST(HeldBytes, ClearTellsHowMuchItDropped) {
  HeldBytes held;
  EXPECT_EQ(held.clear(), 0U);
  held.append("abc");
  held.hand_back("de", 1);
  EXPECT_EQ(held.clear(), 5U);
  EXPECT_TRUE(held.empty());
  held.hand_back("f", 1);  // in the same turn: the place it remembered is gone
  EXPECT_EQ(take_all(held), "f");
}

/// A stream is cut into what was read, what is held and what is to come; turns move the cuts.
TEST(HeldBytes, AStreamStaysInOrder) {
  std::mt19937_64 random(tests::test_seed());
  const auto pick = [&](std::size_t most) { return most == 0 ? 0 : random() % (most + 1); };
  std::string stream(100'000, '\0');
  for (char& byte : stream) {
    byte = static_cast<char>(random());
  }
  HeldBytes held;
  std::string read;
  std::size_t arrived = 0;
  for (std::uint64_t turn = 1; read.size() < stream.size(); ++turn) {
    // The worker takes some chunks, and hands a tail of them back, in pieces.
    std::vector<std::string> taken;
    for (std::size_t count = pick(3); count > 0 && !held.empty(); --count) {
      taken.push_back(take(held));
    }
    bool hands_back = false;
    for (const std::string& chunk : taken) {
      const std::size_t used = hands_back ? 0 : pick(chunk.size());
      hands_back = used < chunk.size();
      read += chunk.substr(0, used);
      if (hands_back) {
        held.hand_back(std::string_view(chunk).substr(used), turn);
      }
    }
    const std::size_t arrives = std::min(pick(2000), stream.size() - arrived);
    if (arrives > 0) {
      held.append(std::string_view(stream).substr(arrived, arrives));
      arrived += arrives;
    }
  }
  EXPECT_EQ(read, stream);
}

}  // namespace
}  // namespace millrace::uring
