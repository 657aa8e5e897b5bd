// What an operator may see and ask of a process with a device: commands on DPDK's telemetry socket (EalOptions::
// has_telemetry), beside DPDK's own. The answers are JSON; docs/seeing_inside.md lists them, scripts/millrace-ctl asks.
//
//   /millrace/ports    /millrace/queues    /millrace/drops[,WORKER]    /millrace/stack[,WORKER]
//   /millrace/capture/start,DIR[,FRAMES[,BYTES[,SECONDS[,SNAP]]]]    .../stop    .../status
//
// Threads: made and ended on the main thread, one in a process at a time; commands run on DPDK's telemetry threads.
// They read what is fixed, atomics (link, boards), how full the pools are, and a capture's status; workers are not
// asked and wait for nobody. Ownership: borrows device, capture and boards, which outlive it. An end waits for a
// command that is running.
#pragma once

#include <span>
#include <string>

#include "dataplane/api/counter_board.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/port/capture.h"

namespace millrace::dpdk {

class Telemetry {
 public:
  /// `boards`: one a worker.
  Telemetry(Device& device, port::Capture& capture, std::span<const dataplane::CounterBoard> boards);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  ~Telemetry();

  /// Where it is asked.
  [[nodiscard]] static std::string socket_path();
};

}  // namespace millrace::dpdk
