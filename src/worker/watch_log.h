// `watch`: what happens, told line by line to whoever watches, and never a worker kept waiting for it.
//
//   operation ──> outlet of each watcher's home worker ──(one parcel on its way at a time, with the lanes)──> watchers
//                 bounded: full, a line is dropped                       bounded: a client that does not read, lines
//                 skip
//
// Thread: WatchBoard is shared, and touched when a watcher comes or goes; everything else is one worker's, but a parcel
// is read by the worker it was sent to between Visit and Visited. Ownership: the log owns its outlets and their
// parcels. Nobody watches: mask() is 0, and Worker::observes_ is the one branch that costs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "worker/admin_job.h"
#include "worker/limits.h"

namespace millrace::worker {

/// What can be watched, in memcached's words.
enum Watched : std::uint16_t {
  kWatchNothing = 0,
  kWatchFetchers = 1,
  kWatchMutations = 2,
  kWatchEvictions = 4,
  kWatchConnevents = 8,
  kWatchDeletions = 16,
};
/// The word's; kWatchNothing for one that names nothing here.
[[nodiscard]] Watched watched_of(std::string_view word) noexcept;

/// Who watches, of all workers. A slot is a watcher: whether it is taken, what it wants, and where it lives.
class WatchBoard {
 public:
  /// Nothing: kWatchersMax are there already.
  std::optional<std::uint32_t> enter(WorkerId home, std::uint16_t wanted) noexcept;
  void leave(std::uint32_t slot) noexcept;

  /// Rises with each change, after the slots have changed.
  [[nodiscard]] std::uint32_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t count() const noexcept;

  template <typename Visit>
  void visit(Visit&& visit) const noexcept {
    for (const auto& slot : slots_) {
      const std::uint32_t bits = slot.load(std::memory_order_acquire);
      if (bits != 0) {
        visit(static_cast<WorkerId>((bits >> 16) - 1), static_cast<std::uint16_t>(bits));
      }
    }
  }

 private:
  std::array<std::atomic<std::uint32_t>, kWatchersMax> slots_{};  ///< home + 1, then what is wanted; 0: free
  std::atomic<std::uint32_t> version_{0};
};

/// Lines of one worker on their way to another.
struct WatchLines {
  struct Line {
    std::uint16_t kind = 0;
    std::uint32_t end = 0;
  };
  std::string text;
  std::vector<Line> lines;

  void add(std::uint16_t kind, std::string_view line) {
    text.append(line);
    lines.push_back({kind, static_cast<std::uint32_t>(text.size())});
  }
  void clear() {
    text.clear();
    lines.clear();
  }
};

/// Lines, brought to the worker whose clients watch.
class WatchParcel final : public AdminJob {
 public:
  void visit(Worker& home) override;
  void finish(AdminReply& /*reply*/) override {}
  [[nodiscard]] bool is_under_way() const noexcept { return round.out > 0; }

  WatchLines content;
};

/// One worker's side that speaks.
class WatchLog {
 public:
  struct Outlet {
    std::uint16_t wanted = 0;  ///< by all watchers there
    WatchLines waiting;
    std::unique_ptr<WatchParcel> parcel;  ///< from the first line on, used again
  };
  struct Counters {
    std::uint64_t written = 0;  ///< log_worker_written: lines that found room
    std::uint64_t dropped = 0;  ///< log_worker_dropped: lines that did not
  };

  explicit WatchLog(std::uint32_t workers) : outlets_(workers) {}

  /// True when somebody came or went since the last call.
  [[nodiscard]] bool has_changed(const WatchBoard& board) const noexcept { return board.version() != version_; }
  void read(const WatchBoard& board) noexcept;

  [[nodiscard]] std::uint16_t mask() const noexcept { return mask_; }
  /// For each outlet that wants `kind`.
  void add(Watched kind, std::string_view line);
  [[nodiscard]] bool has_waiting() const noexcept { return waiting_ > 0; }
  /// What can be sent now: an outlet with lines whose parcel is at home.
  [[nodiscard]] bool has_sendable() const noexcept;
  [[nodiscard]] std::vector<Outlet>& outlets() noexcept { return outlets_; }
  void took(std::size_t lines) noexcept { waiting_ -= lines; }
  [[nodiscard]] std::uint64_t next_line() noexcept { return ++line_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }

 private:
  std::vector<Outlet> outlets_;  ///< by home worker
  std::uint16_t mask_ = 0;
  std::uint32_t version_ = 0;
  std::uint64_t line_ = 0;
  std::size_t waiting_ = 0;
  Counters counters_;
};

/// One watcher, kept by the worker that has its connection.
struct Watcher {
  ConnId connection{};
  std::uint16_t wanted = 0;
  std::uint32_t slot = 0;     ///< of the board
  std::uint64_t skipped = 0;  ///< lines since the last one it was sent
};

}  // namespace millrace::worker
