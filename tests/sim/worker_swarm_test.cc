// Workers, mesh and clients from one seed, in one thread: replies are exact whoever moves first, and nothing is left
// over.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "sim/binary_script.h"
#include "sim/client_script.h"
#include "sim/meta_script.h"
#include "sim/text_script.h"
#include "support/seed.h"
#include "support/sim_world.h"

namespace millrace::tests {
namespace {

struct Actor {
  SimClient* client = nullptr;
  std::unique_ptr<ClientScript> script;
  std::uint32_t commands_left = 0;
};

void expect_nothing_left(SimWorld& world) {
  for (WorkerId id = 0; id < world.workers(); ++id) {
    worker::Worker& worker = world.worker(id);
    EXPECT_EQ(worker.connections().count(), 0U);
    EXPECT_EQ(worker.holes_outstanding(), 0U);
    EXPECT_EQ(worker.reply_memory().nodes_in_use(), 0U);
    EXPECT_EQ(worker.reply_memory().buffers_in_use(), 0U);
    EXPECT_EQ(worker.partition().counters().pins, 0U);
    EXPECT_EQ(worker.partition().counters().reservations, 0U);
    EXPECT_TRUE(worker.is_drained());
    worker.partition().check();
  }
}

std::vector<Actor> open_actors(SimWorld& world, std::uint32_t count, std::uint32_t commands) {
  std::vector<Actor> actors;
  for (std::uint32_t i = 0; i < count; ++i) {
    Actor actor;
    actor.client = &world.open(static_cast<WorkerId>(world.random()() % world.workers()));
    const std::string prefix = "c" + std::to_string(i) + ":";
    if (i % 3 == 1) {
      actor.script = std::make_unique<BinaryScript>(world.random()(), prefix);
    } else if (i % 3 == 2) {
      actor.script = std::make_unique<MetaScript>(world.random()(), prefix);
    } else {
      actor.script = std::make_unique<TextScript>(world.random()(), prefix);
    }
    actor.commands_left = commands;
    actors.push_back(std::move(actor));
  }
  return actors;
}

void feed(SimWorld& world, Actor& actor) {
  if (actor.commands_left == 0 || actor.client->to_server.size() > 300000) {
    return;
  }
  const std::uint64_t burst = 1 + world.random()() % 32;
  for (std::uint64_t i = 0; i < burst && actor.commands_left > 0; ++i, --actor.commands_left) {
    actor.script->add_command(actor.client->to_server);
  }
}

/// Shows the first difference: the streams are megabytes long.
void expect_same_stream(const std::string& received, const std::string& expected) {
  if (received == expected) {
    return;
  }
  const auto differs = std::mismatch(received.begin(), received.end(), expected.begin(), expected.end());
  const auto at = static_cast<std::size_t>(differs.second - expected.begin());
  const std::size_t from = at < 300 ? 0 : at - 300;
  FAIL() << "at byte " << at << " of " << received.size() << " (expected " << expected.size() << ")\n--- received\n"
         << received.substr(from, 500) << "\n--- expected\n"
         << expected.substr(from, 500);
}

void run_exact_world(std::uint64_t seed, std::uint32_t workers) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(workers) + " workers");
  SimWorld world({.seed = seed, .workers = workers, .arena_bytes = std::size_t{48} << 20});
  std::vector<Actor> actors = open_actors(world, 6, 300);
  const auto is_done = [](const Actor& actor) {
    return actor.commands_left == 0 && actor.client->received.size() >= actor.script->expected().size();
  };
  for (std::uint64_t step = 0; step < 2'000'000; ++step) {
    if (step % 64 == 0) {
      Actor& actor = actors[world.random()() % actors.size()];
      feed(world, actor);
      actor.client->reads = world.random()() % 4 != 0;
      if (std::all_of(actors.begin(), actors.end(), is_done)) {
        break;
      }
    }
    world.step();
  }
  for (Actor& actor : actors) {
    expect_same_stream(actor.script->comparable(actor.client->received), actor.script->expected());
    actor.client->reads = true;
    actor.client->has_finished = true;
  }
  world.run(20'000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, RepliesAreExactWhoeverMovesFirst) {
  const std::uint64_t seed = test_seed();
  const std::uint64_t worlds = number_from_environment("MILLRACE_TEST_WORLDS", 6);
  for (std::uint64_t i = 0; i < worlds && !::testing::Test::HasFatalFailure(); ++i) {
    run_exact_world(seed + i, 1 + static_cast<std::uint32_t>((seed + i) % 4));
  }
}

TEST(WorkerSwarm, ClientsThatVanishLeaveNothingBehind) {
  const std::uint64_t seed = test_seed();
  SimWorld world({.seed = seed, .workers = 3});
  for (int round = 0; round < 30; ++round) {
    std::vector<Actor> actors = open_actors(world, 5, 200);
    const std::uint64_t lifetime = world.random()() % 3000;
    for (std::uint64_t step = 0; step < lifetime; ++step) {
      Actor& actor = actors[world.random()() % actors.size()];
      feed(world, actor);
      actor.client->reads = world.random()() % 3 != 0;
      world.step();
    }
    for (Actor& actor : actors) {
      actor.client->is_gone = true;
    }
    world.run(400);
  }
  world.run(20'000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, AClientThatNeverReadsStopsOnlyItself) {
  SimWorld world({.seed = test_seed(), .workers = 2});
  SimClient& stuck = world.open(0);
  SimClient& lively = world.open(0);
  const std::string value(100'000, 'v');
  stuck.to_server = "set big 0 0 100000\r\n" + value + "\r\n";
  world.run(2000);
  ASSERT_EQ(stuck.received, "STORED\r\n");
  stuck.reads = false;
  for (int i = 0; i < 5000; ++i) {
    stuck.to_server += "get big big big\r\n";
  }
  world.run(5000);
  EXPECT_GT(stuck.to_server.size(), 50'000U) << "it is not read any more";
  lively.to_server = "get big\r\n";
  world.run(500);
  EXPECT_EQ(lively.received.size(), 100'000U + 20U + 2U + 5U);
  stuck.is_gone = true;
  lively.has_finished = true;
  world.run(5000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, ALargeValueIntoFullMemoryStopsNobody) {
  SimWorld world({.seed = test_seed(), .workers = 2, .item_bytes_max = 2U << 20});
  SimClient& filler = world.open(0);
  for (int n = 0;
       world.worker(0).partition().counters().evictions == 0 || world.worker(1).partition().counters().evictions == 0;
       ++n) {
    for (int i = 0; i < 1000; ++i) {
      filler.to_server += "set small" + std::to_string(n * 1000 + i) + " 0 0 8 noreply\r\nsssssss8\r\n";
    }
    while (!filler.to_server.empty()) {
      world.run(50);
    }
  }
  // Both keys of each client: one its own worker's, one the neighbour's, whichever is which.
  constexpr std::uint32_t kBytes = 1'200'000;
  const auto large = [](std::size_t n) {
    const std::uint32_t bytes = n % 2 == 0 ? kBytes : 50'000;  // pieces of several classes, none of which has a page
    return "set large" + std::to_string(n) + " 0 0 " + std::to_string(bytes) + "\r\n" + std::string(bytes, 'l') +
           "\r\n";
  };
  const std::string stored = "STORED\r\nSTORED\r\nSTORED\r\nSTORED\r\n";
  constexpr std::size_t kValues = 4;
  constexpr std::size_t kOneReplyBytes = 8;
  std::array<std::size_t, 2> sent{};
  const std::array<SimClient*, 2> clients{&world.open(0), &world.open(1)};
  SimClient& vanishing = world.open(1);
  vanishing.to_server = "set large0 0 0 " + std::to_string(kBytes) + "\r\nonly the beginning";
  SimClient& lively = world.open(0);
  std::uint64_t answers = 0;
  const auto is_done = [&](const SimClient* client) { return client->received.size() >= stored.size(); };
  for (int step = 0; step < 400'000 && !std::ranges::all_of(clients, is_done); ++step) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      SimClient* client = clients[i];
      if (sent[i] < kValues && client->received.size() == sent[i] * kOneReplyBytes) {
        client->to_server = large(sent[i]++);
      }
    }
    std::array<std::uint64_t, 2> before{};
    for (WorkerId id = 0; id < 2; ++id) {
      before[id] = world.worker(id).partition().counters().pages_stolen;
    }
    if (lively.to_server.empty()) {
      lively.to_server = "get nothing\r\n";
      answers += lively.received == "END\r\n" ? 1 : 0;
      lively.received.clear();
    }
    world.step();
    for (WorkerId id = 0; id < 2; ++id) {
      ASSERT_LE(world.worker(id).partition().counters().pages_stolen - before[id], 2U) << "in one turn";
    }
    vanishing.is_gone |= step == 100;
  }
  EXPECT_EQ(clients[0]->received, stored);
  EXPECT_EQ(clients[1]->received, stored);
  EXPECT_GT(answers, 100U) << "small requests were answered all the while";
  for (SimClient* client : {clients[0], clients[1], &filler, &lively}) {
    client->has_finished = true;
  }
  world.run(20'000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, AdministratorsCommandsReachEveryPartitionInOrder) {
  SimWorld world({.seed = test_seed(), .workers = 4});
  SimClient& client = world.open(2);
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    client.to_server += "set k" + std::to_string(i) + " 0 0 1\r\nx\r\n";
    expected += "STORED\r\n";
  }
  client.to_server += "flush_all\r\nset after 0 0 1\r\ny\r\nget k1 k2 k3 after\r\n";
  expected += "OK\r\nSTORED\r\nVALUE after 0 1\r\ny\r\nEND\r\n";
  world.run(5000);
  EXPECT_EQ(client.received, expected);
  client.received.clear();
  client.to_server = "stats\r\n";
  world.run(500);
  EXPECT_NE(client.received.find("STAT cmd_set 41\r\n"), std::string::npos) << client.received;
  EXPECT_NE(client.received.find("STAT get_hits 1\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("STAT get_misses 3\r\n"), std::string::npos);
  EXPECT_NE(client.received.find("STAT threads 4\r\n"), std::string::npos);
  client.has_finished = true;
  world.run(2000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, DumpsAndWatchersComeAndGoAndRepliesStayExact) {
  const std::uint64_t seed = test_seed();
  for (std::uint64_t round = 0; round < 8; ++round) {
    SimWorld world({.seed = seed + round, .workers = 3, .arena_bytes = std::size_t{48} << 20});
    std::vector<Actor> actors = open_actors(world, 4, 150);
    std::vector<SimClient*> onlookers;
    const auto is_done = [](const Actor& actor) {
      return actor.commands_left == 0 && actor.client->received.size() >= actor.script->expected().size();
    };
    for (std::uint64_t step = 0; step < 400'000; ++step) {
      if (step % 64 == 0) {
        feed(world, actors[world.random()() % actors.size()]);
        if (std::all_of(actors.begin(), actors.end(), is_done)) {
          break;
        }
      }
      if (step % 500 == 0 && onlookers.size() < 12) {
        SimClient& onlooker = world.open(static_cast<WorkerId>(world.random()() % world.workers()));
        static constexpr std::array<const char*, 5> kAsks{
            "watch fetchers mutations deletions connevents\r\n", "watch evictions\r\n",
            "lru_crawler metadump all\r\nmn\r\n",
            "lru_crawler mgdump hash\r\nlru_crawler crawl all\r\nstats workers\r\n",
            "stats hotkeys on 2\r\nstats detail on\r\nstats hotkeys\r\nstats conns\r\n"};
        onlooker.to_server = kAsks[world.random()() % kAsks.size()];
        onlooker.reads = world.random()() % 3 != 0;
        onlookers.push_back(&onlooker);
      }
      if (step % 600 == 0 && !onlookers.empty()) {
        const std::size_t who = world.random()() % onlookers.size();
        (world.random()() % 2 == 0 ? onlookers[who]->is_gone : onlookers[who]->has_finished) = true;
        onlookers[who]->reads = true;
        onlookers.erase(onlookers.begin() + static_cast<std::ptrdiff_t>(who));
      }
      world.step();
    }
    for (Actor& actor : actors) {
      expect_same_stream(actor.script->comparable(actor.client->received), actor.script->expected());
      actor.client->has_finished = true;
    }
    for (SimClient* onlooker : onlookers) {
      onlooker->is_gone = true;
    }
    world.run(20'000);
    expect_nothing_left(world);
    EXPECT_EQ(world.worker(0).watch_log().mask(), 0U) << "somebody is still said to watch";
  }
}

TEST(WorkerSwarm, ADumpIsWholeWhileOthersRead) {
  SimWorld world({.seed = test_seed(), .workers = 4});
  SimClient& client = world.open(1);
  for (int i = 0; i < 3000; ++i) {
    client.to_server += "set k" + std::to_string(i) + " 0 0 1 noreply\r\nx\r\n";
  }
  client.to_server += "lru_crawler mgdump all\r\nmn\r\n";
  for (int step = 0; step < 400'000 && !client.received.ends_with("EN\r\nMN\r\n"); ++step) {
    client.reads = world.random()() % 8 == 0;
    world.step();
  }
  ASSERT_TRUE(client.received.starts_with("OK\r\n")) << client.received.substr(0, 100);
  EXPECT_EQ(std::ranges::count(client.received, '\n'), 3000 + 3);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_NE(client.received.find("mg k" + std::to_string(i) + "\r\n"), std::string::npos) << i;
  }
  client.reads = true;
  client.has_finished = true;
  world.run(5000);
  expect_nothing_left(world);
}

TEST(WorkerSwarm, TimeToLiveFollowsTheClockAndNotTheWall) {
  SimWorld world({.seed = test_seed(), .workers = 2});
  SimClient& client = world.open(0);
  client.to_server = "set a 0 10 1\r\nx\r\nset b 0 " + std::to_string(world.clock().wall_s() + 10) + " 1\r\ny\r\n";
  world.run(500);
  world.clock().step_wall(3600);
  world.clock().advance(seconds(8));
  client.received.clear();
  client.to_server = "get a b\r\n";
  world.run(500);
  EXPECT_EQ(client.received, "VALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\n");
  world.clock().advance(seconds(3));
  client.received.clear();
  client.to_server = "get a b\r\n";
  world.run(500);
  EXPECT_EQ(client.received, "END\r\n");
}

}  // namespace
}  // namespace millrace::tests
