// What a worker's turn costs for each command of a connection, without a network: from the transport's bytes to its
// Sends. 8 connections, 16 commands each a turn; all keys are this worker's. get and set find their key; set_new does
// not, and something is evicted for it. Instructions a command:
//   valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*Worker::turn*' worker_streams, then / 128,000.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/huge_memory.h"
#include "mesh/mesh.h"
#include "protocol/binary/header.h"
#include "store/partition.h"
#include "worker/shared_state.h"
#include "worker/worker.h"

namespace millrace {
namespace {

constexpr std::uint64_t kSeed = 17;
constexpr std::uint32_t kConnections = 8;
constexpr std::uint32_t kCommandsPerTurn = 16;

std::string key_of(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return "key:" + std::string(26 - digits.size(), '0') + digits;  // 30 bytes
}

/// Which keys are there, and which are asked for.
struct Keys {
  std::uint64_t count = 1 << 12;
  std::size_t pipelines = 64;
  bool are_in_turn = false;  ///< one after the other, each once; else drawn
};
/// Twice as many as the partition holds: what comes is never there, and something goes for it.
constexpr Keys kTooMany{.count = 1 << 18, .pipelines = (1 << 18) / kCommandsPerTurn, .are_in_turn = true};

/// Gives every connection the same pipelines again and again; a Send is released with the next turn.
class Pipelines final : public dataplane::Transport {
 public:
  template <typename Write>
  Pipelines(const Write& write, const Keys& keys) : pipelines_(keys.pipelines) {
    std::uint64_t state = 88172645463325252ULL;
    std::uint64_t number = 0;
    for (std::string& pipeline : pipelines_) {
      for (std::uint32_t i = 0; i < kCommandsPerTurn; ++i) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pipeline += write(key_of(keys.are_in_turn ? number++ : state % keys.count));
      }
    }
    for (std::uint32_t slot = 0; slot < kConnections; ++slot) {
      waiting_.push_back({.kind = dataplane::EventKind::Opened, .conn = {slot, 1}});
    }
  }
  std::size_t poll(Instant, std::span<dataplane::Event> out, Duration) noexcept override {
    std::size_t count = 0;
    for (const dataplane::Event& event : waiting_) {
      out[count++] = event;
    }
    waiting_.clear();
    for (std::uint32_t slot = 0; slot < kConnections; ++slot) {
      out[count++] = {
          .kind = dataplane::EventKind::Bytes, .conn = {slot, 1}, .bytes = pipelines_[next_++ % pipelines_.size()]};
    }
    return count;
  }
  void submit(Instant, std::span<const dataplane::TxOp> ops) noexcept override {
    for (const dataplane::TxOp& op : ops) {
      if (op.kind != dataplane::TxKind::Send) {
        continue;
      }
      for (const dataplane::Slice& slice : op.slices) {
        sent_bytes_ += slice.size;
      }
      waiting_.push_back({.kind = dataplane::EventKind::Released, .conn = op.conn, .token = op.token});
    }
  }
  Status connect(const dataplane::Endpoint&, ConnId&) noexcept override { return Status::Unsupported; }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override {
    return {.sends_per_connection_max = 1, .slices_per_send_max = 64, .connections_max = kConnections};
  }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId) const override { return {}; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return {}; }

  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  class NoWaker final : public dataplane::Waker {
   public:
    void wake() noexcept override {}
  };
  std::vector<std::string> pipelines_;
  std::vector<dataplane::Event> waiting_;
  std::size_t next_ = 0;
  std::uint64_t sent_bytes_ = 0;
  dataplane::TransportCounters counters_;
  NoWaker waker_;
};

/// `reply_bytes`: of one command, so that an answer that is not the expected one is seen.
template <typename Write>
void run(benchmark::State& state, const Write& write, std::uint64_t reply_bytes,
         EvictionPolicy policy = EvictionPolicy::Clock, const Keys& keys = {}) {
  auto arena = HugeMemory::reserve({.bytes = std::size_t{16} << 20});
  if (!arena || !arena->fault_in()) {
    state.SkipWithError("no memory");
    return;
  }
  auto partition = store::Partition::create({.arena = arena->bytes(), .policy = policy, .hash_seed = kSeed});
  const std::string value(64, 'v');
  for (std::uint64_t i = 0; i < keys.count; ++i) {
    const std::string key = key_of(keys.are_in_turn ? keys.count + i : i);
    (*partition)->store({key, hash_key(key, kSeed)}, value, {}, 1);
  }
  Pipelines transport(write, keys);
  mesh::Mesh mesh(1);
  mesh.join(0);
  ManualClock clock;  // stands still: no housekeeping, which comes by time and not by command
  worker::SharedState shared;
  shared.hash_seed = kSeed;
  shared.partitions = {partition->get()};
  shared.wakers = {&transport.waker()};
  worker::Worker worker(
      {.id = 0, .partition = **partition, .transport = transport, .mesh = mesh, .clock = clock, .shared = shared});
  std::uint64_t commands = 0;
  for (auto _ : state) {
    worker.turn(false);
    commands += kConnections * kCommandsPerTurn;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(commands));
  if (transport.sent_bytes() != commands * reply_bytes) {
    state.SkipWithError("a reply is not the expected one");
  }
}

std::string get_of(const std::string& key) { return "get " + key + "\r\n"; }
std::string set_of(const std::string& key) { return "set " + key + " 0 0 64\r\n" + std::string(64, 'w') + "\r\n"; }
constexpr std::uint64_t kHitBytes = 6 + 30 + 7 + 64 + 2 + 5;
constexpr std::uint64_t kStoredBytes = 8;

void get(benchmark::State& state) { run(state, get_of, kHitBytes); }
void set(benchmark::State& state) { run(state, set_of, kStoredBytes); }
void set_new(benchmark::State& state) { run(state, set_of, kStoredBytes, EvictionPolicy::Clock, kTooMany); }
void get_clock2(benchmark::State& state) { run(state, get_of, kHitBytes, EvictionPolicy::Clock2); }
void set_clock2(benchmark::State& state) { run(state, set_of, kStoredBytes, EvictionPolicy::Clock2); }
void set_new_clock2(benchmark::State& state) { run(state, set_of, kStoredBytes, EvictionPolicy::Clock2, kTooMany); }

std::string binary_request(std::uint8_t opcode, std::string_view extras, std::string_view key, std::string_view value) {
  std::string out(protocol::binary::kHeaderBytes, '\0');
  protocol::binary::write_header(out.data(),
                                 {.opcode = opcode,
                                  .key_bytes = static_cast<std::uint16_t>(key.size()),
                                  .extras_bytes = static_cast<std::uint8_t>(extras.size()),
                                  .body_bytes = static_cast<std::uint32_t>(extras.size() + key.size() + value.size())});
  return out.append(extras).append(key).append(value);
}
void binary_get(benchmark::State& state) {
  run(state, [](const std::string& key) { return binary_request(0x00, {}, key, {}); }, 24 + 4 + 64);
}
void binary_set(benchmark::State& state) {
  const auto write = [](const std::string& key) {
    return binary_request(0x01, std::string(8, '\0'), key, std::string(64, 'w'));
  };
  run(state, write, 24);
}

// A fixed number, so that counts of instructions can be compared.
BENCHMARK(get)->Iterations(1000);
BENCHMARK(set)->Iterations(1000);
BENCHMARK(set_new)->Iterations(1000);
BENCHMARK(get_clock2)->Iterations(1000);
BENCHMARK(set_clock2)->Iterations(1000);
BENCHMARK(set_new_clock2)->Iterations(1000);
BENCHMARK(binary_get)->Iterations(1000);
BENCHMARK(binary_set)->Iterations(1000);

}  // namespace
}  // namespace millrace

BENCHMARK_MAIN();
