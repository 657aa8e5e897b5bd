// Replays a trace read-through: a get for each request, and a set when it misses. Run by one load thread; used once.
//
// Order. The requests of a key all go over one connection, in the order of the trace, and a key's next request waits
// until the outcome of its last get is known and the set it called for is written: so the server sees for each key what
// it would see without pipelining. Across keys a thread begins requests in the order of the trace; a set may come up to
// `depth` requests of its connection later than without pipelining. Several threads take a share of the keys each and
// are held in step by the pace alone: for hit ratios use one.
//
// Pace. As fast as it goes, latency counting from when a request is written; or with the trace's own times or at a
// rate, latency counting from when a request was due, so that nothing of its waiting is left out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "bench/load/client_set.h"
#include "bench/load/measured_window.h"
#include "bench/load/phase.h"
#include "bench/load/trace.h"

namespace millrace::load {

struct ReplayPlan {
  std::uint32_t thread = 0;
  std::uint32_t threads = 1;
  std::uint32_t ttl_s = 0;             ///< for records that have none
  Instant begin{};                     ///< when the first record is due
  std::optional<double> speed{};       ///< so many times as fast as recorded: the trace has times
  std::optional<double> rate_per_s{};  ///< instead, of all threads together; with neither: as fast as it goes
};

class ReplayPhase {
 public:
  ReplayPhase(ClientSet& clients, const Trace& trace, const ReplayPlan& plan, MeasuredWindow& window) noexcept
      : clients_(&clients), trace_(&trace), plan_(plan), window_(&window) {}

  PhaseResult run(const std::atomic<bool>& stop);

 private:
  void write_records();
  [[nodiscard]] bool is_paced() const noexcept { return plan_.speed || plan_.rate_per_s; }
  [[nodiscard]] Instant due(std::size_t record) const noexcept;
  [[nodiscard]] Duration wait_max() const noexcept;
  [[nodiscard]] bool is_mine(const TraceRecord& record) const noexcept;
  [[nodiscard]] ClientConnection& connection_of(const TraceRecord& record) const noexcept;

  ClientSet* clients_;
  const Trace* trace_;
  ReplayPlan plan_;
  MeasuredWindow* window_;
  std::size_t cursor_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace millrace::load
