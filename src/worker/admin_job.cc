#include "worker/admin_job.h"

#include <algorithm>
#include <string>

#include "protocol/reply.h"
#include "worker/worker.h"

namespace millrace::worker {

void Worker::start_job(Connection& connection, std::unique_ptr<AdminJob> job) noexcept {
  execute_batch();
  AdminJob::Round& round = job->round;
  if (round.reply == nullptr) {
    round.reply = std::make_unique<TextReply>();
  }
  if (job->kind == JobKind::Round) {
    for (WorkerId to = 0; to < workers_; ++to) {
      if (to != id_) {
        round.to_visit.push_back(to);
      }
    }
    job->visit(*this);
  }
  if (job->kind == JobKind::Background) {
    job->finish(*round.reply);
    if (!round.noreply) {
      connection.replies.append(memory_, round.reply->take());
    }
    want_send(connection);
  } else {
    round.connection = connection.id;
    connection.blocked |= kBlockedByJob;
  }
  jobs_.push_back(std::move(job));
  advance_jobs();
}

/// Sends the job to whom it has to visit. False: some lane is full, so later.
bool Worker::send_visits(AdminJob& job) noexcept {
  AdminJob::Round& round = job.round;
  while (!round.to_visit.empty()) {
    if (round.to_visit.back() == id_) {
      execute_batch();
      job.visit(*this);
    } else {
      const mesh::Ask ask{.kind = mesh::AskKind::Visit, .token = reinterpret_cast<std::uint64_t>(&job)};
      if (!push_ask(round.to_visit.back(), ask, {})) {
        return false;
      }
      ++round.out;
    }
    round.to_visit.pop_back();
  }
  return true;
}

bool Worker::advance_jobs() noexcept {
  bool any = false;
  bool has_stepped = false;
  for (std::size_t i = 0; i < jobs_.size();) {
    AdminJob& job = *jobs_[i];
    AdminJob::Round& round = job.round;
    any |= !round.to_visit.empty() && send_visits(job);
    if (!round.to_visit.empty() || round.out > 0) {
      ++i;
      continue;
    }
    if (job.kind != JobKind::Round && !round.is_over) {
      // One step a turn, whoever's, so that dumps do not keep a core from its connections.
      const bool steps = !has_stepped && !is_draining_ && step_job(job);
      has_stepped |= steps;
      any |= steps;
      if (steps && !round.is_over) {
        any |= send_visits(job);
        std::rotate(jobs_.begin() + static_cast<std::ptrdiff_t>(i), jobs_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    jobs_.end());
        continue;
      }
      if (!round.is_over && !is_draining_) {
        ++i;
        continue;
      }
    }
    finish_job(job);
    jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(i));
    any = true;
  }
  return any;
}

/// False: not now, its client has enough to read.
bool Worker::step_job(AdminJob& job) noexcept {
  AdminJob::Round& round = job.round;
  Connection* connection = nullptr;
  if (job.kind == JobKind::Steps) {
    connection = connections_.find(round.connection);
    if (connection == nullptr || connection->close_requested) {
      round.is_over = true;
      return true;
    }
    if (!may_grow(connection->replies)) {
      return false;
    }
    connection->active_s = now_.ns / 1'000'000'000;
  }
  job.step(*round.reply, round.to_visit);
  round.is_over = round.to_visit.empty();
  if (connection != nullptr) {
    connection->replies.append(memory_, round.reply->take());
    want_send(*connection);
  }
  return true;
}

void Worker::take_visited(std::uint64_t token) noexcept {
  auto* job = reinterpret_cast<AdminJob*>(token);
  MR_ASSERT(job->round.out > 0);
  --job->round.out;  // advance_jobs() of this turn finishes it
}

void Worker::finish_job(AdminJob& job) noexcept {
  if (job.kind == JobKind::Background) {
    return;  // answered long ago
  }
  const ConnId id = job.round.connection;
  Connection* connection = ExchangeTable::is_exchange(id) ? exchanges_.find(id) : connections_.find(id);
  if (connection == nullptr) {
    return;  // whoever asked has gone
  }
  if (job.kind == JobKind::Round || job.round.is_over) {  // else cut short, and that is not the end of a dump
    job.finish(*job.round.reply);
    if (!job.round.noreply) {
      std::string text = job.round.reply->take();
      weigh_replies();
      if (MR_UNLIKELY(is_tight_) && text.size() > kTightTextBytesMax) {
        job.round.reply->line(protocol::reply::kOutOfMemoryStats);
        text = job.round.reply->take();
      }
      connection->replies.append(memory_, text);
    }
  }
  unblock(*connection, kBlockedByJob);
}

}  // namespace millrace::worker
