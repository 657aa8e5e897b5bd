// The little that workers share: facts fixed at start, the count of connections for -c, and the word to stop.
//
// Thread: constant after start but for the atomics, which are touched when a connection comes or goes, never per
// request. Ownership: the server's; outlives the workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "dataplane/api/ip_prefix.h"
#include "dataplane/api/transport.h"
#include "protocol/session.h"
#include "store/partition.h"
#include "worker/command_policy.h"
#include "worker/watch_log.h"

namespace millrace::auth {
class Authenticator;
}

namespace millrace::worker {

class Worker;

/// What administrators change while we serve, for `stats settings`; each worker has been told by a job (admin/).
struct Tunables {
  std::atomic<bool> crawls{true};                  ///< lru_crawler enable, disable
  std::atomic<std::uint32_t> crawl_sleep_us{100};  ///< lru_crawler sleep; as kHousekeepEveryUs
  std::atomic<std::uint32_t> crawl_slots{0};       ///< lru_crawler tocrawl; 0: all
  std::atomic<std::uint32_t> automove{1};          ///< slabs automove
  std::atomic<std::uint64_t> memory_bytes{0};      ///< cache_memlimit
  std::atomic<bool> is_crawling{false};            ///< a crawl that was asked for is under way
  std::atomic<std::uint64_t> crawls_started{0};
};

struct SharedState {
  // Fixed at start.
  std::uint64_t hash_seed = 0;
  std::uint32_t connections_max = 1024;
  std::uint32_t idle_timeout_s = 0;
  std::uint32_t item_bytes_max = 1024 * 1024;
  std::uint64_t memory_bytes = 0;
  bool cas_enabled = true;
  bool shutdown_enabled = false;
  bool flush_enabled = true;
  bool dump_enabled = true;
  bool watch_enabled = true;
  bool tracks_sizes = false;
  bool detail_at_start = false;
  char prefix_delimiter = ':';
  bool polls = false;
  protocol::Speaks speaks = protocol::Speaks::Auto;
  protocol::Guard guard = protocol::Guard::None;
  const auth::Authenticator* authenticator = nullptr;  ///< the server's; there is one if there is a guard
  std::vector<dataplane::IpPrefix> udp_allow;          ///< who may be answered with more bytes than he sent
  std::uint16_t udp_aim_port = 0;        ///< worker w also has this + w, and everybody may know the seed; 0: neither
  std::vector<ListenerPolicy> policies;  ///< one a listener, then one for a card's datagrams; none at all: no policy
  std::string cluster_config;            ///< the answer to `config get cluster`; empty: no such command
  std::vector<std::pair<std::string, std::string>> settings;  ///< `stats settings`, made by config

  // One entry a worker; set before any worker turns.
  std::vector<store::Partition*> partitions;
  std::vector<dataplane::Waker*> wakers;

  // Atomics.
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint32_t> verbosity{0};
  Tunables tunables;
  WatchBoard watch_board;
  std::atomic<bool> stops{false};   ///< finish what is being sent, then leave
  std::atomic<int> stop_signal{0};  ///< what asked for it: `shutdown` says SIGINT, `shutdown graceful` SIGUSR1

  std::atomic<std::uint32_t> drained{0};  ///< workers that have nothing left to send

  /// Of a listener, or of a datagram socket by its number; what has no entry of its own has the last.
  [[nodiscard]] const ListenerPolicy& policy_of(std::uint16_t listener) const noexcept {
    return policies[listener < policies.size() ? listener : policies.size() - 1];
  }

  void stop() noexcept {
    stops.store(true, std::memory_order_seq_cst);
    wake_all();
  }
  void wake_all() noexcept {
    for (dataplane::Waker* waker : wakers) {
      if (waker != nullptr) {
        waker->wake();
      }
    }
  }
};

}  // namespace millrace::worker
