// What a request costs to parse: the commonest ones, and a line of 32 keys. The bytes are in the nearest cache, as they
// are when the transport has just received them.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/session.h"

namespace {

using namespace millrace;

constexpr protocol::SessionOptions kOptions;

/// Parses `stream` again and again. One item is one request; a line of keys is one request a key.
void parse(benchmark::State& state, std::string_view stream) {
  protocol::Session session(kOptions);
  protocol::Request request;
  protocol::Scratch scratch;
  std::int64_t requests = 0;
  for (auto _ : state) {
    std::string_view in = stream;
    while (!in.empty()) {
      const protocol::Parsed parsed = session.next(in, request, scratch);
      benchmark::DoNotOptimize(request.key.data());
      benchmark::DoNotOptimize(request.value.data());
      if (parsed.found != protocol::Found::Request) {
        state.SkipWithError("not a request");
        return;
      }
      in.remove_prefix(parsed.consumed);
      ++requests;
    }
  }
  state.SetItemsProcessed(requests);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
}

void parse_get(benchmark::State& state) { parse(state, "get memtier-12345678\r\n"); }
void parse_gets(benchmark::State& state) { parse(state, "gets memtier-12345678\r\n"); }
void parse_get_of_32(benchmark::State& state) {
  std::string line = "get";
  for (int i = 0; i < 32; ++i) {
    line += " memtier-123456" + std::to_string(10 + i);
  }
  parse(state, line + "\r\n");
}
void parse_set_of_32_bytes(benchmark::State& state) {
  parse(state, "set memtier-12345678 0 0 32\r\n0123456789abcdef0123456789abcdef\r\n");
}
void parse_incr(benchmark::State& state) { parse(state, "incr counter:12345678 1\r\n"); }
void parse_delete(benchmark::State& state) { parse(state, "delete memtier-12345678 noreply\r\n"); }

/// Each line in two parts, so that it goes through the carry.
void parse_get_cut_in_two(benchmark::State& state) {
  const std::string_view line = "get memtier-12345678\r\n";
  protocol::Session session(kOptions);
  protocol::Request request;
  protocol::Scratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(session.next(line.substr(0, 11), request, scratch).consumed);
    benchmark::DoNotOptimize(session.next(line.substr(11), request, scratch).consumed);
    benchmark::DoNotOptimize(request.key.data());
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(parse_get);
BENCHMARK(parse_gets);
BENCHMARK(parse_get_of_32);
BENCHMARK(parse_set_of_32_bytes);
BENCHMARK(parse_incr);
BENCHMARK(parse_delete);
BENCHMARK(parse_get_cut_in_two);

}  // namespace

BENCHMARK_MAIN();
