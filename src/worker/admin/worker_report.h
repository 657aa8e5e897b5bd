// One worker's numbers, copied by itself for whoever asked. Plain values. Thread: made on the worker's own core, read
// at home after the round.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/api/counter_visitor.h"
#include "dataplane/api/transport.h"
#include "store/counters.h"
#include "worker/counters.h"
#include "worker/watch_log.h"

namespace millrace::worker {

class Worker;

/// What the transport counts besides, in its order, which is the same in every worker that has the same transport.
class FurtherCounters final : public dataplane::CounterVisitor {
 public:
  struct Counter {
    dataplane::CounterKind kind;
    std::string_view name;
    std::uint64_t value;
  };
  void visit(dataplane::CounterKind kind, std::string_view name, std::uint64_t value) noexcept override {
    all.push_back({kind, name, value});
  }
  std::vector<Counter> all;
};

struct WorkerReport {
  WorkerCounters worker;
  store::PartitionCounters store;
  store::MemoryStats memory;
  dataplane::TransportCounters transport;
  FurtherCounters further;
  std::uint64_t connections = 0;
  std::uint64_t holes = 0;
  std::uint64_t buffers = 0;
  std::uint64_t nodes = 0;
  std::uint64_t limit_bytes = 0;
  std::uint64_t now_us = 0;  ///< since start
  WatchLog::Counters watch_log;
};

[[nodiscard]] WorkerReport report_of(Worker& worker);

}  // namespace millrace::worker
