#include "worker/admin/worker_report.h"

#include "worker/worker.h"

namespace millrace::worker {

WorkerReport report_of(Worker& worker) {
  WorkerReport report;
  report.worker = worker.counters();
  report.store = worker.partition().counters();
  report.memory = worker.partition().memory_stats();
  report.transport = worker.transport().counters();
  worker.transport().visit_counters(report.further);
  report.connections = worker.connections().count();
  report.holes = worker.holes_outstanding();
  report.buffers = worker.reply_memory().buffers_in_use();
  report.nodes = worker.reply_memory().nodes_in_use();
  report.limit_bytes = worker.partition().limit_bytes();
  report.now_us = static_cast<std::uint64_t>(worker.now().ns / 1000);
  report.watch_log = worker.watch_log().counters();
  return report;
}

}  // namespace millrace::worker
