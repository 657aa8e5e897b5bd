#include "server/worker_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include "base/affinity.h"
#include "dataplane/compose/composite_transport.h"
#include "dataplane/uring/uring_transport.h"

namespace millrace::server {
namespace {

/// Replies on their way when we are told to stop get this long.
constexpr Duration kDrainLimit = seconds(2);
/// So that a client beyond -c hears why before it is turned away.
constexpr std::uint32_t kTurnedAwayAtOnce = 64;
/// Numbers of datagram sockets from here on are a card's, those below are the kernel's.
constexpr std::uint16_t kFrameSocketBase = 0x8000;

}  // namespace

WorkerThread::WorkerThread(const config::Options& options, const WorkerPlacement& placement, mesh::Mesh& mesh,
                           worker::SharedState& shared, Gates& gates)
    : options_(options), placement_(placement), mesh_(mesh), shared_(shared), gates_(gates) {}

WorkerThread::~WorkerThread() { join(); }

void WorkerThread::start() {
  thread_ = std::thread([this] { life(); });
}

void WorkerThread::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void WorkerThread::life() {
  pthread_setname_np(pthread_self(), fmt::format("worker-{}", placement_.worker).c_str());
  const auto note_failure = [this](const Result<void>& result) {
    if (!result) {
      error_ = result.error();
      gates_.is_off = true;
    }
  };
  note_failure(prepare());
  gates_.prepared.count_down();
  gates_.may_open.wait();
  if (!gates_.is_off) {
    note_failure(open());
  }
  gates_.opened.count_down();
  gates_.may_run.wait();
  if (!gates_.is_off) {
    worker_->run(kDrainLimit);
  }
  gates_.ended.arrive_and_wait();
  // Worker and transport end on the thread that used them; the arena stays until all threads have ended, since a
  // neighbour may still read a lent value.
  worker_.reset();
  shared_.wakers[placement_.worker] = nullptr;
  transport_.reset();
  in_dpdk_.reset();
}

Result<void> WorkerThread::prepare() {
  if (auto pinned = pin_this_thread(placement_.os_cpu); !pinned) {
    return pinned;
  }
  const bool may_grow = placement_.arena_bytes > placement_.partition_bytes;
  auto arena = HugeMemory::reserve({.bytes = placement_.arena_bytes,
                                    .bytes_at_start = placement_.partition_bytes,
                                    .node = placement_.node,
                                    .explicit_pages = options_.wants_huge_pages ? ExplicitPages::Required
                                                      : may_grow ? ExplicitPages::No  // they all come at once
                                                                 : ExplicitPages::IfThere,
                                    .locks = options_.locks_memory});
  if (!arena) {
    return std::unexpected(arena.error());
  }
  arena_.emplace(std::move(*arena));
  if (auto touched = arena_->fault_in(); !touched) {
    return touched;
  }
  memory_text_ = arena_->text();
  for (const std::string& note : arena_->notes()) {
    memory_text_ += "; " + note;
  }
  owned_arena_.emplace(*arena_);
  auto partition = store::Partition::create({.arena = arena_->bytes(),
                                             .arena_owner = &*owned_arena_,
                                             .bytes_at_start = placement_.partition_bytes,
                                             .item_bytes_max = options_.item_bytes_max,
                                             .chunk_bytes_min = options_.chunk_bytes_min,
                                             .growth_factor = options_.growth_factor,
                                             .chunk_sizes = options_.chunk_sizes,
                                             .evicts = options_.evicts,
                                             .policy = options_.eviction,
                                             .large_value_share = options_.large_value_share,
                                             .hash_seed = shared_.hash_seed});
  if (!partition) {
    return std::unexpected(partition.error());
  }
  partition_ = std::move(*partition);
  shared_.partitions[placement_.worker] = partition_.get();
  mesh_.join(placement_.worker);
  return {};
}

Result<std::unique_ptr<dataplane::Transport>> WorkerThread::make_transport() {
  auto kernel = uring::UringTransport::create({.listeners = std::move(listeners_),
                                               .connections_max = options_.connections_max + kTurnedAwayAtOnce,
                                               .zero_copy_bytes_min = options_.zero_copy_bytes_min});
  if (!kernel) {
    return std::unexpected(kernel.error());
  }
  if (card_ == nullptr) {
    return std::move(*kernel);
  }
  in_dpdk_ = card_->enter_thread();
  std::vector<std::uint16_t> ports = {options_.udp_port};
  if (options_.udp_aim_port != 0) {
    // All of them on each queue: a card brings a datagram where it will, and it is served there.
    for (std::size_t worker = 0; worker < shared_.wakers.size(); ++worker) {
      ports.push_back(static_cast<std::uint16_t>(options_.udp_aim_port + worker));
    }
  }
  auto frames = card_->transport(static_cast<std::uint16_t>(placement_.worker),
                                 {.ports = std::move(ports), .socket_base = kFrameSocketBase});
  if (!frames) {
    return std::unexpected(frames.error());
  }
  return std::make_unique<compose::CompositeTransport>(std::move(*frames), std::move(*kernel), kFrameSocketBase);
}

Result<void> WorkerThread::open() {
  auto transport = make_transport();
  if (!transport) {
    return std::unexpected(transport.error());
  }
  transport_ = std::move(*transport);
  shared_.wakers[placement_.worker] = &transport_->waker();
  worker_ = std::make_unique<worker::Worker>(worker::WorkerParts{.id = placement_.worker,
                                                                 .partition = *partition_,
                                                                 .transport = *transport_,
                                                                 .mesh = mesh_,
                                                                 .clock = clock_,
                                                                 .shared = shared_});
  return {};
}

}  // namespace millrace::server
