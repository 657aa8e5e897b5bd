// What a worker's turn costs for each get by datagram, without a network: from the transport's events to its
// operations. 64 datagrams a turn. range(0): items, so that the table fits the nearest caches or none.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mesh/mesh.h"
#include "micro/filled_partition.h"
#include "protocol/udp_frame.h"
#include "worker/shared_state.h"
#include "worker/worker.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kBurst = 64;
constexpr std::size_t kDatagramBytes = 64;

/// Tells the same few thousand datagrams again and again, each with room for its answer, and takes answers as a port
/// does: by copying them.
class Replay final : public dataplane::Transport {
 public:
  Replay(FilledPartition& partition, std::uint64_t items) : datagrams_(kDatagrams * kDatagramBytes) {
    for (dataplane::DatagramFlow& flow : flows_) {
      flow.peer[15] = 1;
    }
    std::uint64_t state = 88172645463325252ULL;
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      const std::string line = "get " + std::string(partition.key(state % items).bytes) + "\r\n";
      const auto header = protocol::udp_header_bytes({.request_id = static_cast<std::uint16_t>(i)});
      std::memcpy(datagrams_.data() + i * kDatagramBytes, header.data(), header.size());
      std::memcpy(datagrams_.data() + i * kDatagramBytes + header.size(), line.data(), line.size());
      bytes_ = header.size() + line.size();
    }
  }
  std::size_t poll(Instant, std::span<dataplane::Event> out, Duration) noexcept override {
    for (std::size_t i = 0; i < kBurst; ++i, next_ = (next_ + 1) % kDatagrams) {
      out[i] = {.kind = dataplane::EventKind::Datagram,
                .bytes = {datagrams_.data() + next_ * kDatagramBytes, bytes_},
                .flow = &flows_[i],
                .room = {rooms_.data() + i * kRoomBytes, kRoomBytes}};
    }
    return kBurst;
  }
  void submit(Instant, std::span<const dataplane::TxOp> ops) noexcept override {
    for (const dataplane::TxOp& op : ops) {
      char* at = sent_.data() + (answers_ % kBurst) * protocol::kUdpDatagramBytesMax;
      if (op.room_bytes != 0) {
        std::memcpy(at, rooms_.data() + static_cast<std::size_t>(op.flow - flows_.data()) * kRoomBytes, op.room_bytes);
        answered_bytes_ += op.room_bytes;
      }
      for (const dataplane::Slice& slice : op.slices) {
        std::memcpy(at, slice.data, slice.size);
        at += slice.size;
        answered_bytes_ += slice.size;
      }
      ++answers_;
    }
  }
  Status connect(const dataplane::Endpoint&, ConnId&) noexcept override { return Status::Unsupported; }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override { return {}; }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId) const override { return {}; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return {}; }

  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  [[nodiscard]] std::uint64_t answered_bytes() const { return answered_bytes_; }

 private:
  static constexpr std::size_t kDatagrams = 1 << 16;
  static constexpr std::size_t kRoomBytes = 2048;
  class NoWaker final : public dataplane::Waker {
   public:
    void wake() noexcept override {}
  };
  std::vector<char> datagrams_;
  std::vector<char> sent_ = std::vector<char>(kBurst * protocol::kUdpDatagramBytesMax);
  std::vector<char> rooms_ = std::vector<char>(kBurst * kRoomBytes);
  std::array<dataplane::DatagramFlow, kBurst> flows_{};
  std::size_t bytes_ = 0;
  std::size_t next_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t answered_bytes_ = 0;
  dataplane::TransportCounters counters_;
  NoWaker waker_;
};

void gets(benchmark::State& state) {
  const auto items = static_cast<std::uint64_t>(state.range(0));
  FilledPartition partition((std::size_t{16} << 20) + items * 192, static_cast<std::uint32_t>(items),
                            {.key = 30, .value = 64});
  Replay transport(partition, items);
  mesh::Mesh mesh(1);
  mesh.join(0);
  SystemClock clock;
  worker::SharedState shared;
  shared.hash_seed = kHashSeed;
  shared.udp_allow = {{.address = {}, .bits = 0}};
  shared.partitions = {&*partition};
  shared.wakers = {&transport.waker()};
  worker::Worker worker(
      {.id = 0, .partition = *partition, .transport = transport, .mesh = mesh, .clock = clock, .shared = shared});
  for (auto _ : state) {
    worker.turn(false);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(transport.answers()));
  // All hits, all whole.
  if (transport.answered_bytes() != transport.answers() * (8 + 6 + 30 + 7 + 64 + 2 + 5)) {
    state.SkipWithError("an answer is not a hit");
  }
}
BENCHMARK(gets)->Arg(1 << 10)->Arg(1 << 16)->Arg(10'000'000);

}  // namespace
}  // namespace millrace::bench

BENCHMARK_MAIN();
