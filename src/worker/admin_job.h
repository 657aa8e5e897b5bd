// An administrator's command: makes its round of workers, does its part on each core, and is answered at home.
//
// Thread: visit() runs on every worker, each on its own core and possibly at the same time, and writes only the part
// that belongs to that worker; finish() and step() run on the home worker after all who were visited have said that
// they are done. The lanes carry the happens-before. Ownership: the home worker's; neighbours hold a reference between
// Visit and Visited. The connection that asked is not read until the answer is there, so what it asks next comes after.
//
// Most jobs visit everybody once. A job that goes step by step (a dump) goes on as its client reads: nothing of it
// waits in memory but the step's piece, and a client that does not read stops nobody but itself.
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

enum class JobKind : std::uint8_t {
  Round,       ///< visits every worker, then answers
  Steps,       ///< step() says whom to visit next and what to send meanwhile
  Background,  ///< the same, answered before it begins, and nobody waits for it
};

class AdminJob {
 public:
  explicit AdminJob(JobKind job_kind = JobKind::Round) noexcept : kind(job_kind) {}
  virtual ~AdminJob() = default;
  AdminJob(const AdminJob&) = delete;
  AdminJob& operator=(const AdminJob&) = delete;

  /// This worker's part. May allocate; must not take long.
  virtual void visit(Worker& worker) = 0;
  /// Steps, Background: says what the last visits brought, and names whom to visit next (the home worker is one like
  /// any other). Nobody named: it is over, and finish() has the last word.
  virtual void step(AdminReply& /*reply*/, std::vector<WorkerId>& /*to_visit*/) {}
  /// Round: the reply, all of it. Steps: its end.
  virtual void finish(AdminReply& reply) = 0;

  const JobKind kind;

  // Kept by the home worker while the job is out (admin_job.cc).
  struct Round {
    ConnId connection{};
    std::vector<WorkerId> to_visit;
    std::uint32_t out = 0;
    std::unique_ptr<AdminReply> reply;  ///< in the form of whoever asked; null: the text protocol's
    bool noreply = false;
    bool is_over = false;
  };
  Round round;
};

}  // namespace millrace::worker
