// What a capture costs a worker: bursts of frames in and out of a port that is memory, bare, through a CapturePort that
// is off, and through one that is on, with its thread writing into a temporary folder.
// Arguments: how (0 bare, 1 off, 2 on), frames a burst (0: nothing comes), bytes of a frame. `lost`: copies that found
// no room, of those made; an endless burst is more than a disk takes.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/assert.h"
#include "dataplane/buf/packet_pool.h"
#include "dataplane/port/capture.h"

namespace {

using namespace millrace;  // a benchmark, included by nobody

/// Gives as many frames as it is told to; those sent go back to its pool.
class MemoryPort final : public port::FramePort {
 public:
  MemoryPort(std::size_t burst, std::uint16_t frame_bytes) : burst_(burst), frame_bytes_(frame_bytes) {}

  std::size_t rx_burst(Instant, std::span<buf::Packet> out) noexcept override {
    const std::size_t count = pool_.alloc(out.first(std::min(out.size(), burst_)));
    for (buf::Packet& packet : out.first(count)) {
      packet.append(frame_bytes_);
    }
    return count;
  }
  std::size_t tx_burst(Instant, std::span<buf::Packet> packets) noexcept override {
    buf::release_burst(packets);
    return packets.size();
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override { return pool_.alloc(out); }
  Status attach(buf::Packet&, std::span<const std::byte>, std::uint64_t) noexcept override {
    return Status::Unsupported;
  }
  std::size_t take_released(std::span<std::uint64_t>) noexcept override { return 0; }
  [[nodiscard]] port::LinkState link() const noexcept override { return port::LinkState::Up; }
  [[nodiscard]] const port::PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] const port::PortCounters& counters() const noexcept override { return counters_; }
  void release(std::span<void* const> origins) noexcept override { pool_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return pool_.next_segment(origin);
  }

 private:
  const std::size_t burst_;
  const std::uint16_t frame_bytes_;
  port::PortCapabilities capabilities_{};
  port::PortCounters counters_{};
  buf::PacketPool pool_{{.buffers = 256, .headroom_bytes = 128, .buffer_bytes = 2048, .external_max = 0}};
};

void capture(benchmark::State& state) {
  const auto how = state.range(0);
  const auto burst = static_cast<std::size_t>(state.range(1));
  MemoryPort inner(burst, static_cast<std::uint16_t>(state.range(2)));
  port::Capture capture(1);
  port::CapturePort outer(inner, capture.tap(0));
  port::FramePort* port = how == 0 ? static_cast<port::FramePort*>(&inner) : &outer;
  benchmark::DoNotOptimize(port);  // as in the server: nobody knows what stands behind it
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_bench_capture_" + std::to_string(getpid()));
  if (how == 2) {
    std::filesystem::create_directory(folder);
    MR_ASSERT(capture.start({.directory = folder,
                             .frames_max = port::CaptureRequest::kFramesMost,
                             .bytes_max = std::uint64_t{4} << 30,
                             .seconds_max = 60}));
  }
  std::array<buf::Packet, 64> packets;
  Instant now{};
  for (auto _ : state) {
    now = now + nanoseconds(1);
    const std::size_t count = port->rx_burst(now, packets);
    benchmark::DoNotOptimize(port->tx_burst(now, std::span(packets).first(count)));
  }
  if (how == 2) {
    capture.stop();
    std::filesystem::remove_all(folder);
    const double passed = static_cast<double>(capture.tap(0).passed());
    MR_ASSERT(passed > 0);
    state.counters["lost"] = static_cast<double>(capture.tap(0).dropped()) / passed;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(2 * burst) * state.iterations());
}
BENCHMARK(capture)
    ->Args({0, 0, 64})
    ->Args({1, 0, 64})
    ->Args({0, 32, 64})
    ->Args({1, 32, 64})
    ->Args({2, 32, 64})
    ->Args({0, 32, 1500})
    ->Args({2, 32, 1500});

}  // namespace

BENCHMARK_MAIN();
