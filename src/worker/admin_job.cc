#include "worker/admin_job.h"

#include "worker/worker.h"

namespace millrace::worker {

void Worker::start_job(Connection& connection, std::unique_ptr<AdminJob> job) noexcept {
  execute_batch();
  job->round.connection = connection.id;
  for (WorkerId to = 0; to < workers_; ++to) {
    if (to != id_) {
      job->round.to_visit.push_back(to);
    }
  }
  job->visit(*this);
  connection.blocked |= kBlockedByJob;
  jobs_.push_back(std::move(job));
  advance_jobs();
}

bool Worker::advance_jobs() noexcept {
  bool any = false;
  for (std::size_t i = 0; i < jobs_.size();) {
    AdminJob& job = *jobs_[i];
    AdminJob::Round& round = job.round;
    while (!round.to_visit.empty()) {
      const mesh::Ask ask{.kind = mesh::AskKind::Visit, .token = reinterpret_cast<std::uint64_t>(&job)};
      if (!push_ask(round.to_visit.back(), ask, {})) {
        break;
      }
      round.to_visit.pop_back();
      ++round.out;
      any = true;
    }
    if (round.to_visit.empty() && round.out == 0) {
      finish_job(job);
      jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
      any = true;
      continue;
    }
    ++i;
  }
  return any;
}

void Worker::take_visited(std::uint64_t token) noexcept {
  auto* job = reinterpret_cast<AdminJob*>(token);
  MR_ASSERT(job->round.out > 0);
  --job->round.out;  // advance_jobs() of this turn finishes it
}

void Worker::finish_job(AdminJob& job) noexcept {
  const ConnId id = job.round.connection;
  Connection* connection = ExchangeTable::is_exchange(id) ? exchanges_.find(id) : connections_.find(id);
  if (connection == nullptr) {
    return;  // whoever asked has gone
  }
  if (job.round.reply == nullptr) {
    job.round.reply = std::make_unique<TextReply>();
  }
  job.finish(*job.round.reply);
  if (!job.round.noreply) {
    connection->replies.append(memory_, job.round.reply->take());
  }
  unblock(*connection, kBlockedByJob);
}

}  // namespace millrace::worker
