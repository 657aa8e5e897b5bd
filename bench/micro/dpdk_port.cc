// What it costs to make packets of mbufs and mbufs of packets: bursts of 32 over DPDK's null driver, which touches no
// frame, and the same with nothing of ours between. The difference is our FramePort.
#include <benchmark/benchmark.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdio>
#include <cstdlib>

#include "dataplane/dpdk/device.h"

namespace millrace {
namespace {

constexpr std::uint16_t kBurst = 32;

dpdk::Device& device() {
  static const auto opened = [] {
    auto eal = dpdk::Eal::start({.memory_bytes = 64U << 20, .uses_huge_pages = false});
    auto spec = dpdk::parse_port_spec("null,size=106");
    auto made = eal ? dpdk::Device::open(**eal, *spec, 1, {.buffers = 2048}) : std::unexpected(eal.error());
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().what.c_str());
      std::exit(1);
    }
    static const auto kept = std::move(*eal);  // ends after the device
    return std::move(*made);
  }();
  return *opened;
}

/// Received packets are sent back: the path of a request that is answered in its own buffer.
void BM_FramePort(benchmark::State& state) {
  port::FramePort& port = device().port(0);
  buf::Packet packets[kBurst];
  std::int64_t frames = 0;
  for ([[maybe_unused]] auto _ : state) {
    const std::size_t count = port.rx_burst({}, packets);
    benchmark::DoNotOptimize(packets);
    frames += static_cast<std::int64_t>(port.tx_burst({}, std::span(packets).first(count)));
  }
  state.SetItemsProcessed(frames);
}
BENCHMARK(BM_FramePort);

/// Received packets are dropped, fresh ones are sent.
void BM_FramePortFresh(benchmark::State& state) {
  port::FramePort& port = device().port(0);
  buf::Packet packets[kBurst];
  buf::Packet fresh[kBurst];
  std::int64_t frames = 0;
  for ([[maybe_unused]] auto _ : state) {
    (void)port.rx_burst({}, packets);
    const std::size_t count = port.alloc(fresh);
    for (buf::Packet& packet : std::span(fresh).first(count)) {
      (void)packet.append(106);
    }
    frames += static_cast<std::int64_t>(port.tx_burst({}, std::span(fresh).first(count)));
    buf::release_burst(packets);
  }
  state.SetItemsProcessed(frames);
}
BENCHMARK(BM_FramePortFresh);

void BM_Bare(benchmark::State& state) {
  (void)device();
  rte_mbuf* mbufs[kBurst];
  std::int64_t frames = 0;
  for ([[maybe_unused]] auto _ : state) {
    const std::uint16_t count = rte_eth_rx_burst(0, 0, mbufs, kBurst);
    benchmark::DoNotOptimize(mbufs);
    frames += rte_eth_tx_burst(0, 0, mbufs, count);
  }
  state.SetItemsProcessed(frames);
}
BENCHMARK(BM_Bare);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
