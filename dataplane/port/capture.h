// A packet capture on request: one pcapng file for each worker, written by a thread that is none of the workers.
//
// Threads: start, stop and status on any thread that is no worker, one or several at a time. tap(w) is worker w's
// (through a CapturePort). Ownership: owns taps, rings, files and the writer's thread; outlives the ports. Workers copy
// frames into their rings and never wait; the writer empties the rings, and a ring that is full loses copies, which
// status() and the file's statistics block tell. It ends by itself at whichever limit comes first. Files are new
// (O_EXCL), in a directory that is no symbolic link, with mode 0600. Of the burst during which a capture ends, frames
// may be missing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "dataplane/port/capture_port.h"
#include "dataplane/port/capture_request.h"

namespace millrace::port {

struct CaptureStatus {
  bool is_running = false;
  std::string end{};  ///< why the last one ended: frames, bytes, seconds, stopped, or a sentence; empty: it goes on
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;    ///< of all files
  std::uint64_t dropped = 0;  ///< frames that passed and are in no file, for want of room in a ring
  std::string directory{};
  std::vector<std::string> files{};  ///< one a worker, their names in the directory
};

class Capture {
 public:
  /// Of each worker; holds the copies of 2,700 frames of 1,500 bytes, or of 47,000 of 64.
  static constexpr std::size_t kRingBytes = std::size_t{4} << 20;

  explicit Capture(std::size_t workers, std::size_t ring_bytes = kRingBytes);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { stop(); }

  [[nodiscard]] CaptureTap& tap(std::size_t worker) { return taps_.at(worker); }
  [[nodiscard]] std::size_t workers() const noexcept { return taps_.size(); }

  Result<void> start(const CaptureRequest& request);
  /// Ends it and waits until the files are whole. False: none was going on.
  bool stop();
  [[nodiscard]] CaptureStatus status() const;

 private:
  struct File {
    int fd = -1;
    std::vector<std::byte> unwritten{};
    std::uint64_t passed_before = 0;
    std::uint64_t dropped_before = 0;
  };

  Result<void> open_files();
  void close_files(bool removes) noexcept;
  void write_down();
  [[nodiscard]] std::string empty_rings(bool& found);
  [[nodiscard]] std::string take(std::size_t worker, bool& found);
  [[nodiscard]] std::string flush(std::size_t least_bytes);
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  void finish(std::string end);

  std::deque<CaptureTap> taps_;

  std::mutex command_mutex_;  ///< start and stop, one at a time
  mutable std::mutex mutex_;  ///< of the status and the wish to stop
  std::condition_variable wish_;
  bool wants_stop_ = false;
  CaptureStatus status_;
  std::thread writer_;

  // The writer's while it runs, else of who holds command_mutex_.
  CaptureRequest request_;
  std::uint32_t session_ = 0;
  int directory_ = -1;
  std::vector<File> files_;
  std::int64_t wall_at_zero_ns_ = 0;
  Instant started_{};
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;  ///< of blocks made, and of the statistics that each file will end with
};

}  // namespace millrace::port
