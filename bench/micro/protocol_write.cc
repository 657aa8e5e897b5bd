// What the head of a value costs to write, beside the C++ library's way of writing the same numbers.

#include <benchmark/benchmark.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/reply.h"

namespace {

using namespace millrace;

constexpr std::string_view kKey = "memtier-12345678";

void write_value_line(benchmark::State& state) {
  std::array<char, protocol::kValueLineBytesMax> line;
  auto bytes = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(protocol::write_value_line(line.data(), kKey, 0, bytes));
    benchmark::ClobberMemory();
  }
}

void write_value_line_with_cas(benchmark::State& state) {
  std::array<char, protocol::kValueLineBytesMax> line;
  std::uint64_t cas = 123'456'789'012;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cas);
    benchmark::DoNotOptimize(protocol::write_value_line(line.data(), kKey, 0, 1000, cas));
    benchmark::ClobberMemory();
  }
}

void write_number_line(benchmark::State& state) {
  std::array<char, protocol::kNumberLineBytesMax> line;
  auto number = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(number);
    benchmark::DoNotOptimize(protocol::write_number_line(line.data(), number));
    benchmark::ClobberMemory();
  }
}

void number_line_by_to_chars(benchmark::State& state) {
  std::array<char, protocol::kNumberLineBytesMax> line;
  auto number = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(number);
    char* end = std::to_chars(line.data(), line.data() + line.size() - 2, number).ptr;
    std::memcpy(end, "\r\n", 2);
    benchmark::DoNotOptimize(end);
    benchmark::ClobberMemory();
  }
}

BENCHMARK(write_value_line)->Arg(32)->Arg(1024)->Arg(1'000'000);
BENCHMARK(write_value_line_with_cas);
BENCHMARK(write_number_line)->Arg(7)->Arg(12'345)->Arg(1'234'567'890'123'456'789);
BENCHMARK(number_line_by_to_chars)->Arg(7)->Arg(12'345)->Arg(1'234'567'890'123'456'789);

}  // namespace

BENCHMARK_MAIN();
