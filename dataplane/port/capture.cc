#include "dataplane/port/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "dataplane/port/pcapng.h"

namespace millrace::port {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{256} << 10;
constexpr std::size_t kFramesAtOnce = 512;  // of one worker, before the next has its turn
constexpr auto kPause = std::chrono::milliseconds(1);
constexpr Duration kWriteEvery = milliseconds(100);

std::string reason(int error) { return std::strerror(error); }

/// 20261128T031415.926Z: sorts, and two captures never have the same.
std::string time_text(std::int64_t wall_ns) {
  const std::time_t wall_s = wall_ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&wall_s, &parts);
  char text[64];
  const std::size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(wall_ns / 1'000'000 % 1000));
  return text;
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Capture::Capture(std::size_t workers, std::size_t ring_bytes) : files_(workers) {
  for (std::size_t worker = 0; worker < workers; ++worker) {
    taps_.emplace_back(ring_bytes);
  }
}

Result<void> Capture::start(const CaptureRequest& request) {
  const std::lock_guard one_at_a_time(command_mutex_);
  if (status().is_running) {
    return fail("capture: one is running; stop it first");
  }
  if (writer_.joinable()) {
    writer_.join();
  }
  request_ = request;
  wall_at_zero_ns_ = wall_at_epoch_ns();
  started_ = SystemClock().now();
  if (auto opened = open_files(); !opened) {
    close_files(true);
    return opened;
  }
  frames_ = 0;
  session_ = session_ == UINT32_MAX ? 1 : session_ + 1;
  {
    const std::lock_guard lock(mutex_);
    wants_stop_ = false;
    status_.is_running = true;
    status_.end.clear();
    status_.frames = status_.dropped = 0;
    status_.bytes = bytes_;
  }
  for (std::size_t worker = 0; worker < taps_.size(); ++worker) {
    files_[worker].passed_before = taps_[worker].passed();
    files_[worker].dropped_before = taps_[worker].dropped();
    taps_[worker].begin(session_, request_.snap_bytes);
  }
  try {
    writer_ = std::thread([this] { write_down(); });
  } catch (const std::system_error& error) {
    finish("no thread");
    return fail(std::string("capture: no thread could be had: ") + error.what());
  }
  return {};
}

Result<void> Capture::open_files() {
  directory_ = ::open(request_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory_ < 0) {
    return fail("capture: the directory cannot be opened: " +
                (errno == ELOOP ? std::string("it is a symbolic link") : reason(errno)));
  }
  const std::string stamp = time_text(wall_at_zero_ns_ + started_.ns);
  std::vector<std::string> names;
  bytes_ = 0;
  for (std::size_t worker = 0; worker < files_.size(); ++worker) {
    const std::string& name = names.emplace_back("worker_" + std::to_string(worker) + "_" + stamp + ".pcapng");
    File& file = files_[worker];
    file.fd = ::openat(directory_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file.fd < 0) {
      const int error = errno;
      names.pop_back();
      const std::lock_guard lock(mutex_);
      status_.files = names;  // to be removed
      return fail("capture: no file can be made in the directory: " + reason(error));
    }
    file.unwritten.clear();
    append_section(file.unwritten);
    append_interface(file.unwritten, "worker " + std::to_string(worker), request_.snap_bytes);
    bytes_ += file.unwritten.size() + kStatisticsBlockBytes;
  }
  const std::lock_guard lock(mutex_);
  status_.directory = request_.directory;
  status_.files = names;
  return {};
}

void Capture::close_files(bool removes) noexcept {
  const std::lock_guard lock(mutex_);
  for (std::size_t worker = 0; worker < files_.size(); ++worker) {
    if (files_[worker].fd >= 0) {
      ::close(std::exchange(files_[worker].fd, -1));
      if (removes) {
        (void)::unlinkat(directory_, status_.files[worker].c_str(), 0);
      }
    }
  }
  if (removes) {
    status_.files.clear();
  }
  if (directory_ >= 0) {
    ::close(std::exchange(directory_, -1));
  }
}

bool Capture::stop() {
  const std::lock_guard one_at_a_time(command_mutex_);
  bool was_running = false;
  {
    const std::lock_guard lock(mutex_);
    was_running = status_.is_running;
    wants_stop_ = true;
  }
  wish_.notify_one();
  if (writer_.joinable()) {
    writer_.join();
  }
  return was_running;
}

CaptureStatus Capture::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::uint64_t Capture::dropped() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t worker = 0; worker < taps_.size(); ++worker) {
    sum += taps_[worker].dropped() - files_[worker].dropped_before;
  }
  return sum;
}

void Capture::write_down() {
  pthread_setname_np(pthread_self(), "capture");
  SystemClock clock;
  const Instant end_at = started_ + seconds(static_cast<std::int64_t>(request_.seconds_max));
  Instant write_at = started_;
  std::string end;
  while (end.empty()) {
    bool found = false;
    end = empty_rings(found);
    const Instant now = clock.now();
    if (end.empty()) {
      end = flush(now >= write_at ? 1 : kWriteBytes);
      write_at = now >= write_at ? now + kWriteEvery : write_at;
    }
    if (end.empty() && now >= end_at) {
      end = "seconds";
    }
    std::unique_lock lock(mutex_);
    status_.frames = frames_;
    status_.bytes = bytes_;
    status_.dropped = dropped();
    if (!found && end.empty()) {
      wish_.wait_for(lock, kPause, [this] { return wants_stop_; });
    }
    if (wants_stop_ && end.empty()) {
      end = "stopped";
    }
  }
  finish(std::move(end));
}

/// The last of the frames, what was lost of them, and the end of the files.
void Capture::finish(std::string end) {
  for (CaptureTap& tap : taps_) {
    tap.end();
  }
  std::this_thread::sleep_for(kPause);  // so that a worker who is at it has published
  if (end == "stopped" || end == "seconds") {
    std::string also;
    for (bool found = true; found && also.empty();) {
      found = false;
      also = empty_rings(found);
    }
    end = also.empty() ? end : also;
  }
  const auto end_ns = static_cast<std::uint64_t>(wall_at_zero_ns_ + SystemClock().now().ns);
  for (std::size_t worker = 0; worker < files_.size(); ++worker) {
    append_statistics(files_[worker].unwritten, static_cast<std::uint64_t>(wall_at_zero_ns_ + started_.ns), end_ns,
                      taps_[worker].passed() - files_[worker].passed_before,
                      taps_[worker].dropped() - files_[worker].dropped_before);
  }
  if (const std::string refused = flush(1); !refused.empty()) {
    end = refused;
  }
  close_files(false);
  const std::lock_guard lock(mutex_);
  status_.is_running = false;
  status_.end = std::move(end);
  status_.frames = frames_;
  status_.bytes = bytes_;
  status_.dropped = dropped();
}

/// Why it is over; empty: it is not.
std::string Capture::empty_rings(bool& found) {
  for (std::size_t worker = 0; worker < taps_.size(); ++worker) {
    if (std::string end = take(worker, found); !end.empty()) {
      return end;
    }
  }
  return {};
}

std::string Capture::take(std::size_t worker, bool& found) {
  FrameRing& ring = taps_[worker].ring();
  FrameRecord record;
  std::span<const std::byte> bytes;
  std::string end;
  for (std::size_t count = 0; count < kFramesAtOnce && end.empty() && ring.front(record, bytes); ++count) {
    found = true;
    if (record.session == session_) {  // else it came too late for the capture before
      const std::uint64_t block_bytes = frame_block_bytes(bytes.size());
      if (bytes_ + block_bytes > request_.bytes_max) {
        end = "bytes";
      } else if (frames_ == request_.frames_max) {
        end = "frames";
      } else {
        append_frame(files_[worker].unwritten, static_cast<std::uint64_t>(wall_at_zero_ns_ + record.at_ns),
                     record.direction, record.frame_bytes, bytes);
        bytes_ += block_bytes;
        end = ++frames_ == request_.frames_max ? "frames" : "";
      }
    }
    ring.pop(record);
  }
  ring.release();
  return end;
}

std::string Capture::flush(std::size_t least_bytes) {
  for (File& file : files_) {
    if (file.unwritten.size() < least_bytes) {
      continue;
    }
    const bool is_written = write_all(file.fd, file.unwritten);
    const int error = errno;
    file.unwritten.clear();
    if (!is_written) {
      return "a file could not be written: " + reason(error);
    }
  }
  return {};
}

}  // namespace millrace::port
