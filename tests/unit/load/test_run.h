// Whole runs of the generator against cache servers in memory, one for each load thread. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/generator.h"
#include "bench/load/workload_options.h"
#include "tests/unit/load/memory_server.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {

/// One run; keeps the servers of its threads to look into.
class TestRun {
 public:
  explicit TestRun(Options options, Fault fault = Fault::None, std::uint64_t fault_at = 0)
      : options_(std::move(options)), fault_(fault), fault_at_(fault_at), servers_(options_.threads) {}

  TestRun& with_trace(Trace trace) {
    trace_ = std::move(trace);
    return *this;
  }
  TestRun& with_items(const std::map<std::string, MemoryServer::Item, std::less<>>& items) {
    items_ = items;
    return *this;
  }

  TestRun& with_hooks(RunHooks hooks) {
    hooks_ = std::move(hooks);
    return *this;
  }

  RunReport go(bool is_stopped = false) {
    const bool is_replay = options_.is_replay();
    const auto workload = make_workload(options_, is_replay ? &trace_ : nullptr);
    EXPECT_TRUE(workload);
    const std::uint64_t seed = options_.seed;
    const dataplane::Endpoint nowhere;
    Generator generator(
        options_, *workload, nowhere, is_replay ? &trace_ : nullptr,
        [&, seed](std::uint32_t thread, std::uint32_t) -> Result<std::unique_ptr<dataplane::Transport>> {
          auto server = std::make_unique<Keeper>(seed + thread, fault_, fault_at_, servers_[thread]);
          server->items = items_;
          return server;
        },
        hooks_);
    std::atomic<bool> stop = is_stopped;
    auto report = generator.run(stop);
    EXPECT_TRUE(report);
    return *report;
  }

  /// What was left of thread `i`'s server.
  struct Remains {
    std::map<std::string, MemoryServer::Item, std::less<>> items;
    std::vector<std::string> log;
    std::uint64_t requests = 0;
    std::uint32_t requests_in_one_send_max = 0;
    bool all_gone = false;
  };
  [[nodiscard]] const Remains& server(std::uint32_t thread = 0) const { return servers_[thread]; }

 private:
  class Keeper final : public dataplane::Transport {
   public:
    Keeper(std::uint64_t seed, Fault fault, std::uint64_t fault_at, Remains& remains)
        : server_(seed, fault, fault_at), items(server_.items), remains_(remains) {}
    ~Keeper() override {
      remains_ = {server_.items, server_.log, server_.requests, server_.requests_in_one_send_max, server_.all_gone()};
    }
    std::size_t poll(Instant now, std::span<dataplane::Event> out, Duration wait) noexcept override {
      return server_.poll(now, out, wait);
    }
    void submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept override { server_.submit(now, ops); }
    Status connect(const dataplane::Endpoint& to, ConnId& conn) noexcept override { return server_.connect(to, conn); }
    void stop_accepting() noexcept override {}
    [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override { return {}; }
    [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return server_.counters(); }
    dataplane::Waker& waker() noexcept override { return server_.waker(); }
    [[nodiscard]] std::string peer_text(ConnId) const override { return {}; }
    [[nodiscard]] std::string listener_text(ConnId) const override { return {}; }

   private:
    MemoryServer server_;

   public:
    std::map<std::string, MemoryServer::Item, std::less<>>& items;

   private:
    Remains& remains_;
  };

  Options options_;
  Fault fault_;
  std::uint64_t fault_at_;
  Trace trace_;
  RunHooks hooks_;
  std::map<std::string, MemoryServer::Item, std::less<>> items_;
  std::vector<Remains> servers_;
};

inline SizeDistribution value_sizes(std::uint32_t min, std::uint32_t max) {
  return {SizeDistribution::Of::Values, min, max};
}

/// Few keys, three connections, every reply verified.
inline Options small(std::vector<Mode> modes) {
  Options options;
  options.modes = std::move(modes);
  options.connections = 3;
  options.depth = 4;
  options.keys = 200;
  options.key_sizes = SizeDistribution(SizeDistribution::Of::Keys, 12, 12);
  options.value_sizes = value_sizes(0, 90);
  options.requests = 1000;
  options.verifies = true;
  options.timeout_s = 5;
  options.seed = test_seed();
  return options;
}

}  // namespace millrace::load
