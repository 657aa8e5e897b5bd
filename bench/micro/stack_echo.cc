// What our own network stack costs a request: a burst of frames with UDP datagrams in, as many answers out, through
// StackTransport, over a port that is memory and does nothing.
// Arguments: peers; whether the device sums (0: memif, where software has to; 1: a card); whether the questions have a
// checksum; and where the answer is written (0: the worker's memory, 1: the room that the question came with).

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "dataplane/stack/stack_transport.h"
#include "micro/memory_port.h"

namespace {

using namespace millrace;  // a benchmark, included by nobody
using namespace millrace::bench;
using namespace std::string_view_literals;

constexpr std::string_view kQuestion = "\0\1\0\0\0\1\0\0get a_key_of_twenty_four_byt\r\n"sv;

struct Rig {
  Rig(std::uint32_t peers, bool sums, bool asks_with_sums, bool takes_room) : uses_room(takes_room), port(sums) {
    ip::HostAddresses addresses(kOurMac);
    MR_ASSERT(addresses.add(ip::HostAddress::v4(0x0a00'0001, 16)));
    transport = std::move(*stack::StackTransport::create(port, addresses, {.ports = {kServed}}));
    // A few at a time: a host asks for no more than some neighbours at once.
    for (std::uint32_t i = 0; i < peers; ++i) {
      port.add(arp_from(peer_of(i), wire::ArpOperation::Request));
      turn_through();
      port.add(question_from(peer_of(i), 40'000, kQuestion, true));
      turn_through();  // so that it asks
      port.add(arp_from(peer_of(i), wire::ArpOperation::Reply));
      turn_through();
    }
    for (std::uint32_t i = 0; i < std::max<std::uint32_t>(peers, kBurst); ++i) {
      port.add(
          question_from(peer_of(i % peers), static_cast<std::uint16_t>(40'000 + i % 50), kQuestion, asks_with_sums));
    }
    asked_before = transport->stack().counters().datagrams_sent;
  }

  void turn_through() {
    turn();
    port.clear();
    turn();
  }

  /// One turn of a worker that answers each question with a head and a value.
  [[gnu::noinline]] std::size_t turn() {
    static const std::string head = std::string("\0\1\0\0\0\1\0\0VALUE a_key_of_twenty_four_byt 0 64\r\n", 48);
    static const std::string value = std::string(64, 'v') + "\r\nEND\r\n";
    const std::size_t count = transport->poll(now, events, {});
    for (std::size_t i = 0; i < count; ++i) {
      if (uses_room && !events[i].room.empty()) {
        std::memcpy(events[i].room.data(), head.data(), head.size());
        std::memcpy(events[i].room.data() + head.size(), value.data(), value.size());
        ops[i] = {.kind = dataplane::TxKind::SendDatagram,
                  .room_bytes = static_cast<std::uint32_t>(head.size() + value.size()),
                  .flow = events[i].flow};
        continue;
      }
      slices[i] = {dataplane::Slice{head.data(), static_cast<std::uint32_t>(head.size())},
                   dataplane::Slice{value.data(), static_cast<std::uint32_t>(value.size())}};
      ops[i] = {.kind = dataplane::TxKind::SendDatagram, .slices = slices[i], .flow = events[i].flow};
    }
    transport->submit(now, {ops.data(), count});
    return count;
  }

  const bool uses_room;
  Instant now = Instant{} + seconds(1);
  std::uint64_t asked_before = 0;
  MemoryPort port;
  std::unique_ptr<stack::StackTransport> transport;
  std::array<dataplane::Event, 128> events{};
  std::array<dataplane::TxOp, 128> ops{};
  std::array<std::array<dataplane::Slice, 2>, 128> slices{};
};

void stack_echo(benchmark::State& state) {
  Rig rig(static_cast<std::uint32_t>(state.range(0)), state.range(1) != 0, state.range(2) != 0, state.range(3) != 0);
  std::uint64_t count = 0;
  for (auto _ : state) {
    count += rig.turn();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
  const stack::StackCounters& counters = rig.transport->stack().counters();
  if (counters.datagrams_sent - rig.asked_before != count ||
      count != kBurst * static_cast<std::uint64_t>(state.iterations()) || counters.drops.total() != 0) {
    state.SkipWithError("not every question was answered");
  }
}
BENCHMARK(stack_echo)
    ->Args({1, 0, 1, 0})
    ->Args({1, 0, 1, 1})
    ->Args({1, 0, 0, 1})
    ->Args({1, 1, 1, 0})
    ->Args({1, 1, 1, 1})
    ->Args({256, 0, 1, 1})
    ->Args({256, 1, 1, 1});

}  // namespace

BENCHMARK_MAIN();
