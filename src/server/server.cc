#include "server/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>
#include <vector>

#include "base/topology.h"
#include "config/settings_stats.h"
#include "config/validate.h"
#include "dataplane/nic/nic.h"
#include "server/access.h"
#include "server/listening.h"
#include "server/process.h"
#include "server/topology_plan.h"
#include "server/users.h"
#include "server/worker_thread.h"

namespace millrace::server {
namespace {

/// Those that stop the server, and SIGHUP, which reads files again.
sigset_t signals_waited_for() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    sigaddset(&set, signal);
  }
  return set;
}

std::uint64_t draw_seed() {
  std::uint64_t seed = 0;
  while (getrandom(&seed, sizeof(seed), 0) != static_cast<ssize_t>(sizeof(seed))) {
  }
  return seed;
}

Result<Plan> make_plan(const config::Options& options, const Topology& topology) {
  return plan_workers(topology, {.workers = options.workers,
                                 .cores = options.cores,
                                 .memory_bytes = options.memory_bytes,
                                 .memory_bytes_max = options.memory_max_mib << 20,
                                 .item_bytes_max = options.item_bytes_max,
                                 .may_oversubscribe = options.may_oversubscribe,
                                 .card_node = card_node(topology, options.nic.port)});
}

/// For --show-plan: what was asked for. Nothing is opened, so nothing more is known.
std::string describe_card(const config::Options& options) {
  if (!options.nic.is_wanted()) {
    return "";
  }
  std::string text = fmt::format("network card {}, mtu {}{}: queue w for worker w\n", options.nic.port, options.nic.mtu,
                                 options.nic.vlan == 0 ? "" : fmt::format(", vlan {}", options.nic.vlan));
  for (const dataplane::InterfaceAddress& own : options.nic.addresses) {
    text += fmt::format("  {}, UDP port {}\n", own.text(), options.udp_port);
  }
  for (const dataplane::IpBytes& gateway : options.nic.gateways) {
    text += fmt::format("  others by {}\n", dataplane::ip_text(gateway));
  }
  return text;
}

Result<Topology> topology_of(const config::Options& options) {
  return options.topology.empty() ? read_machine() : topology_from_text(options.topology);
}

void fill_shared(worker::SharedState& shared, const config::Options& options, std::uint32_t workers) {
  shared.hash_seed = options.hash_seed != 0 ? options.hash_seed : draw_seed();
  shared.connections_max = options.connections_max;
  shared.idle_timeout_s = options.idle_timeout_s;
  shared.item_bytes_max = options.item_bytes_max;
  shared.memory_bytes = options.memory_bytes;
  shared.tunables.memory_bytes = options.memory_bytes;
  shared.tunables.crawls = options.crawls;
  shared.tunables.crawl_sleep_us = options.crawl_sleep_us;
  shared.tunables.crawl_slots = options.crawl_slots;
  shared.tunables.automove = options.automove;
  shared.cas_enabled = options.cas_enabled;
  shared.shutdown_enabled = options.shutdown_enabled;
  shared.flush_enabled = options.flush_enabled;
  shared.dump_enabled = options.dump_enabled;
  shared.watch_enabled = options.watch_enabled;
  shared.tracks_sizes = options.tracks_sizes;
  shared.detail_at_start = options.detail_enabled;
  shared.prefix_delimiter = options.prefix_delimiter;
  shared.polls = options.polls;
  shared.udp_allow = options.udp_allow;
  shared.udp_aim_port = options.udp_aim_port;
  shared.speaks = speaks_of(options);
  shared.guard = guard_of(options);
  shared.partitions.resize(workers);
  shared.wakers.resize(workers);
  shared.verbosity = static_cast<std::uint32_t>(options.verbosity);
}

/// The workers' threads; ended and joined in the destructor, whatever phase they are in.
class Crew {
 public:
  Crew(const config::Options& options, const Plan& plan, worker::SharedState& shared)
      : shared_(shared),
        mesh_(static_cast<std::uint32_t>(plan.workers.size())),
        gates_(static_cast<std::ptrdiff_t>(plan.workers.size())) {
    for (const WorkerPlacement& placement : plan.workers) {
      threads_.push_back(std::make_unique<WorkerThread>(options, placement, mesh_, shared, gates_));
    }
  }
  ~Crew() { end(); }
  /// Ends and joins all threads; memory stays.
  void end() {
    if (std::exchange(has_ended_, true)) {
      return;
    }
    if (!is_running_) {
      gates_.is_off = true;
      open_gate(gates_.may_open);
      open_gate(gates_.may_run);
    }
    shared_.stop();
    gates_.ended.count_down();
    for (auto& thread : threads_) {
      thread->join();
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  Result<void> prepare() {
    for (auto& thread : threads_) {
      thread->start();
    }
    gates_.prepared.wait();
    return first_error();
  }
  Result<void> open(Listening& listening, nic::Nic* card) {
    for (std::uint32_t worker = 0; worker < threads_.size(); ++worker) {
      threads_[worker]->give_listeners(listening.take(worker), card);
    }
    open_gate(gates_.may_open);
    gates_.opened.wait();
    return first_error();
  }
  void run() {
    is_running_ = true;
    open_gate(gates_.may_run);
  }
  [[nodiscard]] const std::vector<std::unique_ptr<WorkerThread>>& threads() const { return threads_; }

 private:
  static void open_gate(std::latch& gate) {
    if (!gate.try_wait()) {
      gate.count_down();
    }
  }
  [[nodiscard]] Result<void> first_error() const {
    for (const auto& thread : threads_) {
      if (thread->error()) {
        return std::unexpected(*thread->error());
      }
    }
    return {};
  }

  worker::SharedState& shared_;
  mesh::Mesh mesh_;
  Gates gates_;
  bool is_running_ = false;
  bool has_ended_ = false;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
};

/// Null: no card was asked for.
Result<std::unique_ptr<nic::Nic>> open_card(const config::Options& options, const Plan& plan) {
  if (!options.nic.is_wanted()) {
    return nullptr;
  }
  nic::NicOptions wanted{.port = options.nic.port,
                         .addresses = options.nic.addresses,
                         .gateways = options.nic.gateways,
                         .vlan = options.nic.vlan,
                         .mtu = options.nic.mtu,
                         .eal_words = options.nic.eal_words,
                         .lend_bytes_min = options.zero_copy_bytes_min,
                         .seed = draw_seed(),
                         .aim_port = options.udp_aim_port,
                         .may_sleep = !options.polls,
                         .has_telemetry = options.nic.has_telemetry,
                         .log = [](bool is_error, std::string_view line) {
                           spdlog::log(is_error ? spdlog::level::warn : spdlog::level::debug, "DPDK: {}", line);
                         }};
  for (const WorkerPlacement& placement : plan.workers) {
    wanted.cpus.push_back(placement.os_cpu);
    wanted.nodes.push_back(placement.node);
  }
  return nic::Nic::open(wanted);
}

/// Values that are left where they lie are read by the card itself.
Result<void> lend_memory(const config::Options& options, const Crew& crew, nic::Nic& card) {
  if (options.zero_copy_bytes_min == 0) {
    return {};
  }
  for (const auto& thread : crew.threads()) {
    const std::size_t page_bytes = thread->arena().is_explicit() ? std::size_t{2} << 20 : std::size_t{4096};
    if (auto lent = card.lend(thread->arena().bytes(), page_bytes); !lent) {
      return lent;
    }
  }
  return {};
}

void log_card(const nic::Nic& card) {
  for (const std::string& line : card.lines()) {
    spdlog::info("network card {}", line);
  }
  for (const std::string& note : card.notes()) {
    spdlog::warn("network card: {}", note);
  }
}

/// Sleeps until a signal or the `shutdown` command says stop; looks after the card and the file of users meanwhile.
void wait_for_stop(const worker::SharedState& shared, nic::Nic* card, auth::Authenticator* users) {
  const sigset_t set = signals_waited_for();
  while (!shared.stops.load()) {
    spdlog::set_level(shared.verbosity.load() > 0 ? spdlog::level::debug
                                                  : spdlog::level::info);  // the verbosity command
    if (card != nullptr) {
      if (const auto ticked = card->tick(); !ticked) {
        spdlog::error("network card: {}", ticked.error().what);
        card = nullptr;  // sockets are served as before
      } else if (const auto news = card->take_news()) {
        spdlog::warn("network card: {}", *news);
      }
    }
    const timespec limit{.tv_sec = 0, .tv_nsec = card != nullptr ? 50'000'000 : 200'000'000};
    const int signal = sigtimedwait(&set, nullptr, &limit);
    if (signal == SIGHUP) {
      if (users != nullptr) {
        reload_users(*users);
      }
      continue;
    }
    if (signal > 0) {
      spdlog::info("signal {}: stopping", signal);
      return;
    }
  }
  spdlog::info("shutdown command: stopping");
}

Result<void> settle_process(const config::Options& options, std::uint32_t workers) {
  if (options.core_dumps) {
    if (auto raised = raise_core_limit(); !raised) {
      return raised;
    }
  }
  if (auto raised = raise_descriptor_limit(options.connections_max, workers); !raised) {
    spdlog::warn("{}", raised.error().what);
  }
  return {};
}

void log_start(const config::Options& options, const Crew& crew, const Listening& listening) {
  for (const auto& thread : crew.threads()) {
    spdlog::info("{}", thread->memory_text());
  }
  for (const std::string& note : options.notes) {
    spdlog::warn("{}", note);
  }
  for (const std::string& address : listening.addresses()) {
    spdlog::info("listening on {}, {} worker{}", address, crew.threads().size(), crew.threads().size() == 1 ? "" : "s");
  }
}

/// `users` may be null: nobody has to authenticate.
Result<int> serve(const config::Options& options, const Plan& plan, auth::Authenticator* users,
                  Background& background) {
  const auto workers = static_cast<std::uint32_t>(plan.workers.size());
  if (auto settled = settle_process(options, workers); !settled) {
    return std::unexpected(settled.error());
  }
  worker::SharedState shared;
  fill_shared(shared, options, workers);
  shared.authenticator = users;
  // Before any thread: DPDK's own keep off the workers' CPUs. And it outlives them all.
  auto card = open_card(options, plan);
  if (!card) {
    return std::unexpected(card.error());
  }
  Crew crew(options, plan, shared);
  if (auto prepared = crew.prepare(); !prepared) {
    return std::unexpected(prepared.error());
  }
  if (*card != nullptr) {
    if (auto lent = lend_memory(options, crew, **card); !lent) {
      return std::unexpected(lent.error());
    }
  }
  auto listening = Listening::open(options, workers);
  if (!listening) {
    return std::unexpected(listening.error());
  }
  PidFile pid_file;
  if (!options.pid_file.empty()) {
    auto created = PidFile::create(options.pid_file);
    if (!created) {
      return std::unexpected(created.error());
    }
    pid_file = std::move(*created);
  }
  if (auto became = become_user(options.user, options.unix_path); !became) {
    return std::unexpected(became.error());
  }
  shared.policies = has_policies(options) ? listening->policies() : std::vector<worker::ListenerPolicy>{};
  shared.cluster_config = cluster_config(options);
  config::Options in_effect = options;
  in_effect.growth_factor = shared.partitions[0]->growth_factor();
  shared.settings = config::settings_stats(in_effect, workers, listening->port());
  if (auto opened = crew.open(*listening, card->get()); !opened) {
    return std::unexpected(opened.error());
  }
  if (*card != nullptr) {
    log_card(**card);
  }
  log_start(options, crew, *listening);
  crew.run();
  if (auto settled = background.settle(); !settled) {
    return std::unexpected(settled.error());
  }
  wait_for_stop(shared, card->get(), users);
  crew.end();
  if (*card != nullptr) {
    (*card)->shut_down();  // before the memory goes that it may still read
  }
  return 0;
}

}  // namespace

Result<int> run(const config::Options& options) {
  auto topology = topology_of(options);
  if (!topology) {
    return std::unexpected(topology.error());
  }
  auto plan = make_plan(options, *topology);
  if (!plan) {
    return std::unexpected(plan.error());
  }
  if (auto checked = config::check_aim_ports(options, static_cast<std::uint32_t>(plan->workers.size())); !checked) {
    return std::unexpected(checked.error());
  }
  if (options.shows_plan) {
    fmt::print("{}{}", describe(*plan, *topology), describe_card(options));
    return 0;
  }
  spdlog::debug("{}", describe(*plan, *topology));
  for (const std::string& note : plan->notes) {
    spdlog::warn("{}", note);
  }
  // Blocked before any thread exists, so that only wait_for_stop() takes them.
  const sigset_t set = signals_waited_for();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_DFL);            // what nohup ignored could not be waited for
  const auto users = open_users(options);  // before the folder is left that its path may start from
  if (!users) {
    return std::unexpected(users.error());
  }
  Background background;
  if (options.daemonizes) {
    auto entered = Background::enter();
    if (!entered) {
      return std::unexpected(entered.error());
    }
    background = std::move(*entered);
  }
  return serve(options, *plan, users->get(), background);
}

}  // namespace millrace::server
