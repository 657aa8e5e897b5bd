// Rules 15 to 18: listening datagram sockets.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/contract/datagram_backend.h"
#include "tests/contract/driver.h"
#include "tests/contract/random.h"
#include "tests/support/seed.h"

namespace millrace::contract {
namespace {

using dataplane::DatagramFlow;
using dataplane::Event;
using dataplane::EventKind;

class DatagramListener : public testing::TestWithParam<DatagramBackendMaker> {
 protected:
  void SetUp() override { start({}); }

  void start(const DatagramWanted& wanted) {
    driver.reset();
    transport.reset();
    backend = GetParam().make();
    transport = backend->make(wanted);
    if (transport == nullptr) {
      GTEST_SKIP() << "this host has no " << GetParam().name;
    }
    driver = std::make_unique<Driver>(*transport);
    driver->poll();
  }

  bool until(const std::function<bool()>& is_done, std::size_t room = Driver::kRoomMax) {
    return driver->until(
        [&] {
          backend->move();
          return is_done();
        },
        room);
  }
  void poll_for(std::chrono::milliseconds time) {
    const auto limit = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() >= limit; });
  }
  void answer(const DatagramFlow& flow, std::string_view bytes, std::size_t slices = 1) {
    driver->send_datagram(flow, bytes, false, slices);
  }
  void lend(const DatagramFlow& flow, std::string_view bytes, std::size_t slices = 1) {
    driver->send_datagram(flow, bytes, true, slices);
  }

  [[nodiscard]] std::vector<Seen> told() const {
    std::vector<Seen> datagrams;
    std::ranges::copy_if(driver->seen(), std::back_inserter(datagrams),
                         [](const Seen& seen) { return seen.kind == EventKind::Datagram; });
    return datagrams;
  }
  [[nodiscard]] std::size_t told_count() const { return driver->count(EventKind::Datagram); }
  void wait_for(std::size_t count) {
    EXPECT_TRUE(until([&] { return told_count() >= count; })) << told_count() << " of " << count;
  }
  /// What an answer to the client's next datagram needs.
  DatagramFlow ask(DatagramClient& client, std::string_view bytes = "?") {
    const std::size_t before = told_count();
    client.send(bytes);
    wait_for(before + 1);
    return told().empty() ? DatagramFlow{} : told().back().flow;
  }
  std::optional<std::string> receive(DatagramClient& client) {
    std::optional<std::string> got;
    until([&] {
      got = client.receive();
      return got.has_value();
    });
    return got;
  }
  [[nodiscard]] const dataplane::TransportCounters& counters() const { return transport->counters(); }

  std::unique_ptr<DatagramBackend> backend;
  std::unique_ptr<dataplane::Transport> transport;
  std::unique_ptr<Driver> driver;
  std::mt19937_64 random{tests::test_seed()};
};

TEST_P(DatagramListener, Rule15EachIsOneEvent) {
  const auto client = backend->client();
  std::vector<std::string> sent;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8}, std::size_t{1400}, std::size_t{0},
                                 std::size_t{0}, backend->datagram_bytes_max()}) {
    sent.push_back(random_bytes(random, size));
    client->send(sent.back());
  }
  wait_for(sent.size());
  std::vector<std::string> got;
  for (const Seen& seen : told()) {
    got.push_back(seen.bytes);
    EXPECT_EQ(seen.listener, backend->listener());
    EXPECT_FALSE(seen.conn.is_valid());
  }
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(counters().datagrams_received, sent.size());
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule15TheFlowSaysWhoAndWhere) {
  std::vector<std::unique_ptr<DatagramClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(backend->client());
    DatagramFlow flow = ask(*clients.back());
    flow.socket = clients.back()->flow().socket;
    EXPECT_EQ(flow, clients.back()->flow());
  }
}

TEST_P(DatagramListener, Rule15OneThatIsTooLongIsDropped) {
  constexpr std::uint32_t kTaken = 2048;
  if (backend->takes_any_length()) {
    GTEST_SKIP() << "nothing is too long";
  }
  start({.datagram_bytes_max = kTaken});
  const auto client = backend->client();
  // Buffers come in whole cache lines, so a little more than asked for may be taken.
  client->send(std::string(kTaken + 512, 'l'));
  client->send(std::string(kTaken, 's'));
  wait_for(1);
  EXPECT_EQ(counters().datagrams_truncated, 1U);
  EXPECT_EQ(counters().datagrams_received, 1U);
  EXPECT_EQ(told()[0].bytes, std::string(kTaken, 's'));
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule15ViewsKeep) {
  const auto client = backend->client();
  std::size_t looked_at = 0;
  while (looked_at < 50) {
    for (int i = 0; i < 5; ++i) {
      client->send(random_bytes(random, pick(random, 1, 3000)));
    }
    driver->seen().clear();
    wait_for(1);
    // More arrives, and the worker submits: neither may touch what is lent.
    const std::vector<Event>& events = driver->last_events();
    for (const Event& event : events) {
      client->send("more");
      answer(*event.flow, event.bytes);
    }
    const std::size_t before = driver->seen().size() - events.size();
    for (std::size_t i = 0; i < events.size(); ++i, ++looked_at) {
      EXPECT_EQ(events[i].bytes, driver->seen()[before + i].bytes);
      EXPECT_EQ(*events[i].flow, driver->seen()[before + i].flow);
    }
  }
}

TEST_P(DatagramListener, Rule15ManyAtOnceAndFewBuffers) {
  start({.receive_buffers = 4});
  const auto client = backend->client();
  constexpr std::size_t kDatagrams = 60;
  for (std::size_t i = 0; i < kDatagrams; ++i) {
    client->send(std::to_string(i));
  }
  wait_for(kDatagrams);
  std::vector<Seen> seen = told();
  for (std::size_t i = 0; i < std::min(kDatagrams, seen.size()); ++i) {
    EXPECT_EQ(seen[i].bytes, std::to_string(i));
  }
  driver->expect_no_leaks();
}

/// A span for one event: what does not fit comes with the next poll, and nothing twice.
TEST_P(DatagramListener, Rule15RoomForOne) {
  const auto client = backend->client();
  for (int i = 0; i < 20; ++i) {
    client->send(std::to_string(i));
  }
  EXPECT_TRUE(until([&] { return told_count() == 20; }, 1));
  poll_for(std::chrono::milliseconds(10));
  EXPECT_EQ(told_count(), 20U);
}

TEST_P(DatagramListener, Rule16AnAnswerReachesWhoAsked) {
  const auto one = backend->client();
  const auto other = backend->client();
  const DatagramFlow to_one = ask(*one);
  const DatagramFlow to_other = ask(*other);
  std::string bytes = "for the other, in three slices";
  answer(to_other, bytes, 3);
  answer(to_one, std::string(1400, 'o'));
  answer(to_one, "");
  EXPECT_EQ(receive(*other), bytes);
  EXPECT_EQ(receive(*one), std::string(1400, 'o'));
  EXPECT_EQ(receive(*one), "");
  EXPECT_TRUE(until([&] { return counters().datagrams_sent == 3; }));
  EXPECT_EQ(driver->count(EventKind::Released), 0U);
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule16TheLongest) {
  const auto client = backend->client();
  const DatagramFlow flow = ask(*client);
  const std::string bytes = random_bytes(random, backend->datagram_bytes_max());
  lend(flow, bytes, 7);
  EXPECT_TRUE(receive(*client) == bytes);
  EXPECT_TRUE(until([&] { return driver->unreleased_datagrams() == 0; }));
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule16LentBytesAreReleasedOnce) {
  const auto client = backend->client();
  const DatagramFlow flow = ask(*client);
  std::vector<std::string> sent;
  for (int i = 0; i < 40; ++i) {
    sent.push_back(random_bytes(random, pick(random, 1, 1400)));
    lend(flow, sent.back(), pick(random, 1, 8));
  }
  std::vector<std::string> got;
  EXPECT_TRUE(until([&] {
    while (auto bytes = client->receive()) {
      got.push_back(*bytes);
    }
    return got.size() == sent.size() && driver->unreleased_datagrams() == 0;
  }));
  std::ranges::sort(sent);
  std::ranges::sort(got);
  EXPECT_TRUE(got == sent);
  EXPECT_EQ(driver->count(EventKind::Released), sent.size());
  poll_for(std::chrono::milliseconds(10));
  EXPECT_EQ(driver->count(EventKind::Released), sent.size());
  driver->expect_no_leaks();
}

/// More than anything has room for, in one turn: each is sent or counted, and each loan ends.
TEST_P(DatagramListener, Rule16NothingIsQueuedWithoutBound) {
  start({.sends_max = 8});
  const auto client = backend->client();
  const DatagramFlow flow = ask(*client);
  constexpr std::uint64_t kDatagrams = 3000;
  const std::string bytes(1400, 'b');
  for (std::uint64_t i = 0; i < kDatagrams; ++i) {
    if (i % 2 == 0) {
      answer(flow, bytes);
    } else {
      lend(flow, bytes);
    }
  }
  EXPECT_TRUE(until([&] {
    return counters().datagrams_sent + counters().datagrams_not_sent == kDatagrams &&
           driver->unreleased_datagrams() == 0;
  }));
  EXPECT_GT(counters().datagrams_sent, 0U);
  EXPECT_EQ(driver->count(EventKind::Released), kDatagrams / 2);
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule16WhatCannotBeSentIsCounted) {
  const auto client = backend->client();
  const DatagramFlow flow = ask(*client);
  const std::string too_long(70'000, 'l');
  answer(flow, too_long);
  lend(flow, too_long, 2);
  EXPECT_TRUE(until([&] { return counters().datagrams_not_sent == 2 && driver->unreleased_datagrams() == 0; }));
  EXPECT_EQ(counters().datagrams_sent, 0U);
  answer(flow, "short");
  EXPECT_EQ(receive(*client), "short");
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule16AClientThatIsGoneEndsNothing) {
  auto gone = backend->client();
  const DatagramFlow flow = ask(*gone);
  gone.reset();
  for (int i = 0; i < 3; ++i) {
    answer(flow, "is anybody there?");
    lend(flow, "or here?");
    poll_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(until([&] { return driver->unreleased_datagrams() == 0; }));
  const auto client = backend->client();
  answer(ask(*client), "yes");
  EXPECT_EQ(receive(*client), "yes");
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule17StoppedButAnswering) {
  const auto client = backend->client();
  const DatagramFlow flow = ask(*client);
  client->send("on its way");
  transport->stop_accepting();
  client->send("too late");
  poll_for(std::chrono::milliseconds(30));
  EXPECT_EQ(told_count(), 1U);
  answer(flow, "owed");
  EXPECT_EQ(receive(*client), "owed");
  lend(flow, "owed as well");
  EXPECT_EQ(receive(*client), "owed as well");
  EXPECT_TRUE(until([&] { return driver->unreleased_datagrams() == 0; }));
  EXPECT_EQ(told_count(), 1U);
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule17StoppedBeforeTheFirstTurn) {
  backend = GetParam().make();
  transport = backend->make({});
  transport->stop_accepting();
  driver = std::make_unique<Driver>(*transport);
  const auto client = backend->client();
  client->send("too late");
  poll_for(std::chrono::milliseconds(20));
  EXPECT_EQ(told_count(), 0U);
  driver->expect_no_leaks();
}

TEST_P(DatagramListener, Rule18AnAnswerFromItsRoom) {
  const auto client = backend->client();
  answer(ask(*client), "hello");
  EXPECT_EQ(receive(*client), "hello");
  bool is_any = false;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> sent;
    for (std::size_t i = pick(random, 1, 5); i > 0; --i) {
      client->send(random_bytes(random, pick(random, 1, 200)));
    }
    driver->seen().clear();
    wait_for(1);
    const std::vector<Event> events = driver->last_events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i];
      ASSERT_EQ(event.bytes, driver->seen()[driver->seen().size() - events.size() + i].bytes);
      sent.push_back(random_bytes(random, pick(random, 1, 1400)));
      if (event.room.size() < sent.back().size() || pick(random, 0, 3) == 0) {
        answer(*event.flow, sent.back());
      } else {
        is_any = true;
        driver->answer_in_room(event, sent.back());
      }
    }
    std::vector<std::string> got;
    EXPECT_TRUE(until([&] {
      while (auto bytes = client->receive()) {
        got.push_back(*bytes);
      }
      return got.size() >= sent.size();
    }));
    std::ranges::sort(got);
    std::ranges::sort(sent);
    ASSERT_TRUE(got == sent);
  }
  EXPECT_EQ(driver->count(EventKind::Released), 0U);
  EXPECT_EQ(counters().datagrams_not_sent, 0U);
  driver->expect_no_leaks();
  EXPECT_TRUE(is_any || !backend->has_room());
}

/// It ends with events out and answers under way: whatever is lent must not be read any more (a sanitizer sees it).
TEST_P(DatagramListener, EndsInTheMiddle) {
  for (int round = 0; round < 5; ++round) {
    start({});
    const auto client = backend->client();
    const DatagramFlow flow = ask(*client);
    for (int i = 0; i < 20; ++i) {
      client->send("unheard");
      answer(flow, "answer");
      lend(flow, std::string(1400, 'l'));
    }
    if (round % 2 == 0) {
      driver->poll(milliseconds(0), 3);
    }
    transport.reset();
    driver->spoil_lent();
  }
}

/// Clients that ask one thing after the other, all at once; answers copied and lent, and spans of any size.
TEST_P(DatagramListener, ManyClients) {
  driver->on_event = [&](const Event& event) {
    if (event.kind != EventKind::Datagram) {
      return;
    }
    const std::string bytes(event.bytes.rbegin(), event.bytes.rend());
    if (pick(random, 0, 1) == 0) {
      answer(*event.flow, bytes, pick(random, 1, 4));
    } else {
      lend(*event.flow, bytes, pick(random, 1, 4));
    }
  };
  struct Client {
    std::unique_ptr<DatagramClient> socket;
    std::string asked;
    int answers = 0;
  };
  constexpr int kAnswers = 50;
  std::vector<Client> clients(20);
  std::size_t done = 0;
  const auto ask_next = [&](Client& client) {
    client.asked = random_bytes(random, pick(random, 1, 1400));
    client.socket->send(client.asked);
  };
  for (Client& client : clients) {
    client.socket = backend->client();
    ask_next(client);
  }
  const Patience patience;
  while (done < clients.size() && !patience.is_over()) {
    backend->move();
    driver->poll(milliseconds(1), pick(random, 1, 40));
    for (Client& client : clients) {
      const auto got = client.socket->receive();
      if (!got) {
        continue;
      }
      ASSERT_TRUE(*got == std::string(client.asked.rbegin(), client.asked.rend()));
      if (++client.answers < kAnswers) {
        ask_next(client);
      } else {
        ++done;
      }
    }
  }
  EXPECT_EQ(done, clients.size());
  EXPECT_TRUE(until([&] { return driver->unreleased_datagrams() == 0; }));
  EXPECT_EQ(counters().datagrams_received, clients.size() * kAnswers);
  // The client may have the last answer before the transport is told that it is gone.
  EXPECT_TRUE(until([&] { return counters().datagrams_sent == clients.size() * kAnswers; }))
      << counters().datagrams_sent;
  driver->expect_no_leaks();
}

INSTANTIATE_TEST_SUITE_P(Backends, DatagramListener, testing::ValuesIn(datagram_backends()),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace millrace::contract
