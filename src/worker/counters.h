// What one worker has counted since start or `stats reset`. Written by its own core; others get a copy through a job.
#pragma once

#include <cstdint>

namespace millrace::worker {

struct WorkerCounters {
  std::uint64_t connections_total = 0;        ///< accepted and served
  std::uint64_t connections_rejected = 0;     ///< turned away because of -c
  std::uint64_t connections_not_allowed = 0;  ///< cut because of --allow
  std::uint64_t commands_refused = 0;         ///< because of --refuse, --admin-listen
  std::uint64_t idle_kicks = 0;
  std::uint64_t cmd_flush = 0;
  std::uint64_t cmd_meta = 0;     ///< `me` alone, as memcached counts
  std::uint64_t auth_cmds = 0;    ///< logins tried
  std::uint64_t auth_errors = 0;  ///< of them those that failed
  std::uint64_t asks_sent = 0;    ///< requests that went to a neighbour
  std::uint64_t asks_served = 0;  ///< requests done for neighbours
  std::uint64_t parked_on_full_lane = 0;
  std::uint64_t paused_for_output = 0;  ///< connections left unread because their client did not read
  std::uint64_t turns = 0;
  std::uint64_t turns_idle = 0;
  std::uint64_t turn_longest_ns = 0;  ///< from one turn's start to the next's, without sleep
  std::uint64_t turns_over_1ms = 0;
  std::uint64_t requests = 0;
  std::uint64_t log_watcher_sent = 0;     ///< lines to clients that watch
  std::uint64_t log_watcher_skipped = 0;  ///< lines that they were too slow for
  std::uint64_t batches = 0;
  // Datagrams; what they ask is counted like anybody's.
  std::uint64_t udp_requests = 0;          ///< datagrams with a header that can be answered
  std::uint64_t udp_exchanges = 0;         ///< of them those that could not be answered at once
  std::uint64_t udp_drop_no_header = 0;    ///< shorter than a header
  std::uint64_t udp_drop_not_whole = 0;    ///< says that it is one of several
  std::uint64_t udp_drop_unfinished = 0;   ///< ends inside a command, which was not carried out
  std::uint64_t udp_drop_amplifies = 0;    ///< answers longer than the question, from outside --udp-allow: not sent
  std::uint64_t udp_drop_not_allowed = 0;  ///< from outside --allow
  std::uint64_t udp_drop_no_exchange = 0;  ///< too many were waiting
};

}  // namespace millrace::worker
