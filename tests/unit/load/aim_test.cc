// Aiming: which answers are a map, and which keys a connection to one worker asks for.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bench/load/aim_map.h"
#include "bench/load/operation_mix.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

constexpr std::uint64_t kKeys = 1000;

std::string answer(const std::string& port, const std::string& workers, const std::string& seed,
                   const std::string& hash = "xxh3_64") {
  return "STAT enabled yes\r\nSTAT port " + port + "\r\nSTAT workers " + workers + "\r\nSTAT hash " + hash +
         "\r\nSTAT seed " + seed + "\r\nSTAT owner ((hash>>48)*workers)>>16\r\nEND\r\n";
}

std::string refusal(const std::string& text) {
  const auto map = read_aim_map(text);
  EXPECT_FALSE(map) << text;
  return map ? "" : map.error().what;
}

TEST(AimMap, IsReadFromWhatTheServerSays) {
  const auto map = read_aim_map(answer("11300", "4", "18446744073709551615"));
  ASSERT_TRUE(map);
  EXPECT_EQ(*map, (AimMap{.port = 11300, .workers = 4, .seed = UINT64_MAX}));
  EXPECT_TRUE(read_aim_map("STAT new 1 2\r\n" + answer("65532", "4", "0")));
}

TEST(AimMap, WhatIsNoMapIsRefusedWithAReason) {
  for (const char* text :
       {"", "END\r\n", "ERROR\r\n", "STAT enabled yes", "STAT enabled yes\r\n", "STAT enabled\r\nEND\r\n",
        "STAT enabled no\r\nEND\r\nEND\r\n", "STAT enabled no\r\nSTAT enabled no\r\nEND\r\n"}) {
    EXPECT_NE(refusal(text).find("does not know `stats aim`"), std::string::npos) << text;
  }
  EXPECT_NE(refusal(answer("1", "1", "1") + std::string(5000, ' ')).find("does not know"), std::string::npos);
  EXPECT_NE(refusal("STAT enabled no\r\nEND\r\n").find("--udp-aim PORT"), std::string::npos);
  EXPECT_NE(refusal(answer("11300", "4", "1", "murmur3")).find("another hash"), std::string::npos);
  for (const std::string& text :
       {answer("0", "4", "1"), answer("11300", "0", "1"), answer("65533", "4", "1"), answer("65536", "1", "1"),
        answer("1", "4294967296", "1"), answer("1", "4", "18446744073709551616"), answer("1", "4", "-1"),
        answer("1", "4", "")}) {
    EXPECT_NE(refusal(text).find("no ports for them"), std::string::npos) << text;
  }
}

class AimedMix : public testing::Test {
 protected:
  OperationMix mix(std::uint32_t worker, const KeyPlan& keys, MixPlan plan = {}) {
    plan.aim = &map_;
    plan.worker = worker;
    return {workload_, KeySequence(keys, 0, kKeys, test_seed()), plan};
  }
  [[nodiscard]] std::uint32_t owner(std::uint64_t key) const { return map_.owner(workload_.key_text, key); }

  AimMap map_{.port = 1, .workers = 4, .seed = test_seed()};
  Workload workload_{.key_text = *KeyText::make(16, kKeys),
                     .value_text = ValueText(SizeDistribution(SizeDistribution::Of::Values, 8, 8))};
};

TEST_F(AimedMix, AFillAsksForEachKeyOnceAndOfItsOwner) {
  std::set<std::uint64_t> filled;
  for (std::uint32_t worker = 0; worker < map_.workers; ++worker) {
    OperationMix own =
        mix(worker, {.order = KeyOrder::Sequential}, {.weights = only(Operation::Set), .draws_max = kKeys});
    while (own.has_next()) {
      const Request request = own.next();
      EXPECT_EQ(owner(request.key), worker);
      EXPECT_TRUE(filled.insert(request.key).second);
    }
  }
  EXPECT_EQ(filled.size(), kKeys);
}

TEST_F(AimedMix, EveryOperationIsForAKeyOfTheWorker) {
  OperationWeights weights{};
  for (const Operation operation : {Operation::Get, Operation::Set, Operation::Cas, Operation::Incr}) {
    weights[static_cast<std::size_t>(operation)] = 1;
  }
  std::set<Operation> seen;
  OperationMix own = mix(2, {}, {.weights = weights});
  for (int i = 0; i < 2000; ++i) {
    const Request request = own.next();
    seen.insert(request.operation);
    EXPECT_EQ(owner(request.key), 2U);
    EXPECT_EQ(is_counter(request.key), request.operation == Operation::Incr);  // whose key is another text
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST_F(AimedMix, PopularityAmongAWorkersKeysIsThatOfTheOrder) {
  const KeyPlan zipf{.order = KeyOrder::Zipf, .zipf_exponent = 0.99};
  const KeySequence places(zipf, 0, kKeys, 1);
  constexpr int kDraws = 200'000;
  for (std::uint32_t worker = 0; worker < map_.workers; ++worker) {
    std::map<std::uint64_t, double> expected;
    double total = 0;
    for (std::uint64_t rank0 = 0; rank0 < kKeys; ++rank0) {
      if (const std::uint64_t key = places.scatter(rank0); owner(key) == worker) {
        total += expected[key] = std::pow(static_cast<double>(rank0 + 1), -0.99);
      }
    }
    std::map<std::uint64_t, double> seen;
    OperationMix own = mix(worker, zipf);
    for (int i = 0; i < kDraws; ++i) {
      ++seen[own.next().key];
    }
    double chi_square = 0;
    for (const auto& [key, share] : expected) {
      const double e = share / total * kDraws;
      chi_square += (seen[key] - e) * (seen[key] - e) / e;
    }
    // About 250 degrees of freedom: mean 250, deviation 22.
    EXPECT_LT(chi_square,
              static_cast<double>(expected.size()) + 8 * std::sqrt(2.0 * static_cast<double>(expected.size())))
        << "worker " << worker;
  }
}

TEST_F(AimedMix, EndsWhenOthersKeysAreAllThatIsDrawn) {
  const KeyPlan steep{.order = KeyOrder::Zipf, .zipf_exponent = 20};
  for (std::uint32_t worker = 0; worker < map_.workers; ++worker) {
    OperationMix own = mix(worker, steep);
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(owner(own.next().key), worker);
    }
  }
}

TEST_F(AimedMix, EveryWorkerMustOwnAKey) {
  EXPECT_TRUE(check_owners(map_, workload_.key_text, kKeys, true));
  const auto checked = check_owners(map_, workload_.key_text, 1, false);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().what.find("3 of the 4 workers own none of the 1 keys"), std::string::npos);
}

}  // namespace
}  // namespace millrace::load
