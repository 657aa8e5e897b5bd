// An administrator's command: makes its round of all workers, does its part on each core, and is answered at home.
//
// Thread: visit() runs on every worker, each on its own core and possibly at the same time, and writes only the part
// that belongs to that worker; finish() runs on the home worker after all have said that they are done. The lanes carry
// the happens-before. Ownership: the home worker's; neighbours hold a reference between Visit and Visited. The
// connection that asked is not read until the answer is there, so what it asks next comes after.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "worker/admin_reply.h"

namespace millrace::worker {

class Worker;
struct SharedState;
struct ReplyNode;

class AdminJob {
 public:
  virtual ~AdminJob() = default;
  /// This worker's part. May allocate; must not take long.
  virtual void visit(Worker& worker) = 0;
  /// The reply, all of it.
  virtual void finish(AdminReply& reply) = 0;

  // Kept by the home worker while the job is out (admin_job.cc).
  struct Round {
    ConnId connection{};
    std::vector<WorkerId> to_visit;
    std::uint32_t out = 0;
    std::unique_ptr<AdminReply> reply;  ///< in the form of whoever asked; null: the text protocol's
    bool noreply = false;
  };
  Round round;
};

}  // namespace millrace::worker
