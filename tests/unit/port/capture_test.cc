// Captures over a port that gives and takes numbered frames: what is in the files, what bounds them, what a full ring
// costs, and workers, writer and operator at once.
#include "dataplane/port/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include "dataplane/api/counter_board.h"
#include "dataplane/buf/packet_pool.h"
#include "dataplane/port/pcapng.h"
#include "tests/support/seed.h"

namespace millrace::port {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint32_t kHeaderBytes = 14;

/// Gives frames as told and takes as many as it has room for. Each begins with its number.
class NumberedPort final : public FramePort {
 public:
  NumberedPort() : pool_({.buffers = 256, .headroom_bytes = 128, .buffer_bytes = 2048, .external_max = 0}) {}

  std::uint32_t frame_bytes = 64;
  std::size_t tx_room = SIZE_MAX;

  std::size_t rx_burst(Instant, std::span<buf::Packet> out) noexcept override {
    const std::size_t count = pool_.alloc(out);
    for (buf::Packet& packet : out.first(count)) {
      fill(packet, counters_.rx_frames++);
    }
    return count;
  }
  std::size_t tx_burst(Instant, std::span<buf::Packet> packets) noexcept override {
    const std::size_t count = std::min(packets.size(), tx_room);
    tx_room -= tx_room == SIZE_MAX ? 0 : count;
    buf::release_burst(packets.first(count));
    counters_.tx_frames += count;
    return count;
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override { return pool_.alloc(out); }
  Status attach(buf::Packet&, std::span<const std::byte>, std::uint64_t) noexcept override {
    return Status::Unsupported;
  }
  std::size_t take_released(std::span<std::uint64_t>) noexcept override { return 0; }
  [[nodiscard]] LinkState link() const noexcept override { return LinkState::Up; }
  [[nodiscard]] const PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] const PortCounters& counters() const noexcept override { return counters_; }
  void release(std::span<void* const> origins) noexcept override { pool_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return pool_.next_segment(origin);
  }

  void fill(buf::Packet& packet, std::uint64_t number) const noexcept {
    const std::span<std::byte> bytes = packet.append(static_cast<std::uint16_t>(frame_bytes));
    std::ranges::fill(bytes, static_cast<std::byte>(number));
    std::memcpy(bytes.data(), &number, sizeof number);
  }

 private:
  PortCapabilities capabilities_{};
  PortCounters counters_;
  buf::PacketPool pool_;
};

struct ReadFrame {
  Direction direction{};
  std::uint32_t bytes = 0;
  std::uint32_t kept = 0;
  std::uint64_t number = 0;
  std::uint64_t at_ns = 0;
};

struct ReadFile {
  std::vector<ReadFrame> frames;
  std::uint64_t passed = 0;
  std::uint64_t dropped = 0;
  bool has_statistics = false;
};

template <typename Number>
Number number_at(const std::string& text, std::size_t at) {
  Number number{};
  std::memcpy(&number, text.data() + at, sizeof number);
  return number;
}

/// Block by block; the lengths at both ends agree, and the file ends with the statistics.
ReadFile read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  ReadFile read;
  for (std::size_t at = 0; at < text.size();) {
    const auto bytes = number_at<std::uint32_t>(text, at + 4);
    if (at + bytes > text.size() || number_at<std::uint32_t>(text, at + bytes - 4) != bytes) {
      ADD_FAILURE() << "a block that does not end at " << at;
      break;
    }
    if (const auto type = number_at<std::uint32_t>(text, at); type == 6) {
      const auto kept = number_at<std::uint32_t>(text, at + 20);
      read.frames.push_back(
          {.direction = static_cast<Direction>(number_at<std::uint32_t>(text, at + 28 + (kept + 3) / 4 * 4 + 4)),
           .bytes = number_at<std::uint32_t>(text, at + 24),
           .kept = kept,
           .number = number_at<std::uint64_t>(text, at + 28),
           .at_ns = (std::uint64_t{number_at<std::uint32_t>(text, at + 12)} << 32) |
                    number_at<std::uint32_t>(text, at + 16)});
    } else if (type == 5) {
      read.has_statistics = at + bytes == text.size();
      read.passed = number_at<std::uint64_t>(text, at + 48);
      read.dropped = number_at<std::uint64_t>(text, at + 60);
    }
    at += bytes;
  }
  return read;
}

class CaptureTest : public testing::Test {
 protected:
  CaptureTest() {
    std::string name = (fs::temp_directory_path() / "capture_test_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~CaptureTest() override { fs::remove_all(folder_); }
  CaptureTest(const CaptureTest&) = delete;
  CaptureTest& operator=(const CaptureTest&) = delete;

  void make(std::size_t workers, std::size_t ring_bytes = 1 << 16) {
    capture_ = std::make_unique<Capture>(workers, ring_bytes);
    for (std::size_t worker = 0; worker < workers; ++worker) {
      ports_.push_back(std::make_unique<NumberedPort>());
      captured_.push_back(std::make_unique<CapturePort>(*ports_.back(), capture_->tap(worker)));
    }
  }
  /// One burst in, and out again.
  static void turn(FramePort& port, std::size_t count, Instant now = {}) {
    std::array<buf::Packet, 64> packets;
    const std::size_t got = port.rx_burst(now, std::span(packets).first(count));
    (void)port.tx_burst(now, std::span(packets).first(got));
  }
  bool wait_for_end() const {
    for (int i = 0; i < 5000 && capture_->status().is_running; ++i) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return !capture_->status().is_running;
  }
  void wait_for_frames(std::uint64_t count) const {
    for (int i = 0; i < 5000 && capture_->status().frames < count; ++i) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_GE(capture_->status().frames, count);
  }
  [[nodiscard]] ReadFile read(std::size_t worker) const {
    return read_file(folder_ / capture_->status().files.at(worker));
  }
  [[nodiscard]] std::size_t files_there() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_;
  std::unique_ptr<Capture> capture_;
  std::vector<std::unique_ptr<NumberedPort>> ports_;
  std::vector<std::unique_ptr<CapturePort>> captured_;
};

TEST_F(CaptureTest, EachWorkersFramesAreInItsFileInOrder) {
  make(2);
  turn(*captured_[0], 5);  // before it was asked for
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  turn(*captured_[0], 3, Instant{1'000});
  turn(*captured_[1], 2, Instant{3'000'000'000});
  EXPECT_TRUE(capture_->stop());
  turn(*captured_[0], 5);
  EXPECT_FALSE(capture_->stop());

  const ReadFile first = read(0);
  ASSERT_EQ(first.frames.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(first.frames[i].direction, i < 3 ? Direction::Received : Direction::Sent);
    EXPECT_EQ(first.frames[i].number, 5 + i % 3);
    EXPECT_EQ(first.frames[i].bytes, 64U);
    EXPECT_EQ(first.frames[i].kept, 64U);
  }
  EXPECT_TRUE(first.has_statistics);
  EXPECT_EQ(first.passed, 6U);
  EXPECT_EQ(first.dropped, 0U);
  const ReadFile second = read(1);
  ASSERT_EQ(second.frames.size(), 4U);
  EXPECT_EQ(second.frames[0].at_ns - first.frames[0].at_ns, 2'999'999'000U);
  const CaptureStatus status = capture_->status();
  EXPECT_EQ(status.end, "stopped");
  EXPECT_EQ(status.frames, 10U);
  EXPECT_EQ(status.bytes, fs::file_size(folder_ / status.files[0]) + fs::file_size(folder_ / status.files[1]));
  struct stat about{};
  ASSERT_EQ(::stat((folder_ / status.files[0]).c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

TEST_F(CaptureTest, ItEndsWithTheFramesAskedFor) {
  make(1);
  ASSERT_TRUE(capture_->start({.directory = folder_, .frames_max = 7}));
  for (int i = 0; i < 5; ++i) {
    turn(*captured_[0], 2);
  }
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(capture_->status().end, "frames");
  EXPECT_EQ(read(0).frames.size(), 7U);
  EXPECT_EQ(capture_->tap(0).session(), 0U);
}

TEST_F(CaptureTest, ItsFilesStayWithinTheBytesAskedFor) {
  make(2, 1 << 20);
  ports_[0]->frame_bytes = 1500;
  ASSERT_TRUE(capture_->start({.directory = folder_, .bytes_max = 65'536}));
  for (int i = 0; i < 10; ++i) {
    turn(*captured_[0], 10);
    turn(*captured_[1], 1);
  }
  ASSERT_TRUE(wait_for_end());
  const CaptureStatus status = capture_->status();
  EXPECT_EQ(status.end, "bytes");
  const std::uint64_t bytes = fs::file_size(folder_ / status.files[0]) + fs::file_size(folder_ / status.files[1]);
  EXPECT_LE(bytes, 65'536U);
  EXPECT_GT(bytes, 65'536U - frame_block_bytes(1500));
  EXPECT_TRUE(read(0).has_statistics);
  EXPECT_TRUE(read(1).has_statistics);
}

TEST_F(CaptureTest, ItEndsAfterTheSecondsAskedFor) {
  make(1);
  ASSERT_TRUE(capture_->start({.directory = folder_, .seconds_max = 1}));
  turn(*captured_[0], 2);
  ASSERT_TRUE(wait_for_end());
  EXPECT_EQ(capture_->status().end, "seconds");
  EXPECT_EQ(read(0).frames.size(), 4U);
}

TEST_F(CaptureTest, LongFramesAreCut) {
  make(1);
  ports_[0]->frame_bytes = 1000;
  ASSERT_TRUE(capture_->start({.directory = folder_, .snap_bytes = kHeaderBytes}));
  turn(*captured_[0], 1);
  capture_->stop();
  const ReadFile file = read(0);
  ASSERT_EQ(file.frames.size(), 2U);
  EXPECT_EQ(file.frames[0].kept, kHeaderBytes);
  EXPECT_EQ(file.frames[0].bytes, 1000U);
}

TEST_F(CaptureTest, OnlyWhatThePortTookWasSent) {
  make(1);
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  std::array<buf::Packet, 100> packets;
  ASSERT_EQ(captured_[0]->alloc(packets), packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    ports_[0]->fill(packets[i], i);
  }
  ports_[0]->tx_room = 70;
  std::span<buf::Packet> rest(packets);
  std::size_t taken = captured_[0]->tx_burst({}, rest);
  EXPECT_EQ(taken, 70U);
  EXPECT_EQ(captured_[0]->tx_burst({}, rest.subspan(taken)), 0U);
  ports_[0]->tx_room = SIZE_MAX;
  EXPECT_EQ(captured_[0]->tx_burst({}, rest.subspan(taken)), 30U);
  EXPECT_EQ(captured_[0]->tx_burst({}, {}), 0U);
  capture_->stop();
  const ReadFile file = read(0);
  ASSERT_EQ(file.frames.size(), 100U);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(file.frames[i].number, i);
  }
  EXPECT_EQ(file.passed, 100U);
}

// No thread empties the ring here, so that it is full when we want it.
TEST_F(CaptureTest, AFullRingLosesCopiesAndCountsThem) {
  NumberedPort inner;
  CaptureTap tap(4096);
  CapturePort port(inner, tap);
  tap.begin(1, 64);
  constexpr std::uint64_t kFits = 4096 / FrameRing::bytes_of(64);
  turn(port, 40);
  turn(port, 40);
  EXPECT_EQ(inner.counters().rx_frames, 80U);
  EXPECT_EQ(inner.counters().tx_frames, 80U);
  EXPECT_EQ(tap.passed(), 160U);
  EXPECT_EQ(tap.dropped(), 160U - kFits);
  FrameRecord record;
  std::span<const std::byte> bytes;
  for (std::uint64_t i = 0; i < kFits; ++i) {
    ASSERT_TRUE(tap.ring().front(record, bytes));
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    EXPECT_EQ(number, i % 40);
    tap.ring().pop(record);
  }
  EXPECT_FALSE(tap.ring().front(record, bytes));
  tap.ring().release();
  turn(port, 1);
  EXPECT_TRUE(tap.ring().front(record, bytes));
}

TEST_F(CaptureTest, WhatCameTooLateForOneCaptureIsNotInTheNext) {
  make(1);
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  const std::uint32_t session = capture_->tap(0).session();
  capture_->stop();
  std::array<buf::Packet, 1> packets;
  ASSERT_EQ(ports_[0]->rx_burst({}, packets), 1U);
  capture_->tap(0).copy_received({}, session, packets);  // a worker that was in its burst all the while
  std::this_thread::sleep_for(milliseconds(2));          // or the file has the name of the one before
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  turn(*captured_[0], 1);
  capture_->stop();
  ASSERT_EQ(read(0).frames.size(), 2U);
  EXPECT_EQ(read(0).frames[0].number, 1U);
}

TEST_F(CaptureTest, WhatCannotBeIsRefusedWithASentence) {
  make(2);
  const auto refused = [&](const fs::path& directory) {
    const auto started = capture_->start({.directory = directory});
    EXPECT_FALSE(started);
    EXPECT_FALSE(capture_->status().is_running);
    return started ? std::string() : started.error().what;
  };
  EXPECT_THAT(refused(folder_ / "nowhere"), testing::HasSubstr("No such file or directory"));
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THAT(refused(folder_ / "file"), testing::HasSubstr("Not a directory"));
  fs::create_directory(folder_ / "inner");
  fs::create_directory_symlink(folder_ / "inner", folder_ / "link");
  EXPECT_THAT(refused(folder_ / "link"), testing::HasSubstr("cannot be opened"));
  if (geteuid() != 0) {
    fs::permissions(folder_ / "inner", fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_THAT(refused(folder_ / "inner"), testing::HasSubstr("Permission denied"));
  }
  EXPECT_EQ(files_there(), 3U);
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  const auto second = capture_->start({.directory = folder_});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, testing::HasSubstr("stop it first"));
}

TEST_F(CaptureTest, ADiskThatRefusesEndsIt) {
  make(1);
  ASSERT_TRUE(capture_->start({.directory = folder_}));
  // The file is there and open; no more may be written to any.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{.rlim_cur = 8192, .rlim_max = before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &none);
  ports_[0]->frame_bytes = 1500;
  for (int i = 0; i < 10; ++i) {
    turn(*captured_[0], 10);
  }
  const bool has_ended = wait_for_end();
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_TRUE(has_ended);
  EXPECT_THAT(capture_->status().end, testing::HasSubstr("File too large"));
}

// For the thread sanitizer: workers, the writer, two operators, and a board that is read while it is written.
TEST_F(CaptureTest, ThreadsShareNothingButWhatTheyShould) {
  make(2, 1 << 14);
  std::atomic<bool> is_over = false;
  std::array<dataplane::CounterBoard, 2> boards;
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < 2; ++worker) {
    threads.emplace_back([&, worker] {
      while (!is_over.load(std::memory_order_relaxed)) {
        turn(*captured_[worker], 8);
        boards[worker].begin();
        for_each_counter(captured_[worker]->counters(), [&](std::string_view name, std::uint64_t value) {
          boards[worker].visit(dataplane::CounterKind::Queue, name, value);
        });
      }
    });
  }
  threads.emplace_back([&] {
    std::uint64_t last = 0;
    while (!is_over.load(std::memory_order_relaxed)) {
      (void)capture_->status();
      boards[0].read([&](dataplane::CounterKind, std::string_view name, std::uint64_t value) {
        if (name == "rx_frames") {
          EXPECT_GE(value, last);
          last = value;
        }
      });
      std::this_thread::yield();
    }
  });
  std::uint64_t frames = 0;
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(milliseconds(2));  // a name of its own
    ASSERT_TRUE(capture_->start({.directory = folder_, .frames_max = 5'000}));
    if (round % 2 == 0) {
      EXPECT_TRUE(wait_for_end());
    } else {
      wait_for_frames(1);
      capture_->stop();
    }
    for (std::size_t worker = 0; worker < 2; ++worker) {
      const ReadFile file = read(worker);
      EXPECT_TRUE(file.has_statistics);
      std::uint64_t next = 0;  // received frames have rising numbers, however many are missing
      for (const ReadFrame& frame : file.frames) {
        if (frame.direction == Direction::Received) {
          EXPECT_GE(frame.number, next);
          next = frame.number + 1;
        }
      }
      frames += file.frames.size();
    }
  }
  is_over = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_GT(frames, 15'000U - 1);
}

// Random sizes through a small ring, one thread each side.
TEST(FrameRing, ThreadsSeeWhatWasPublishedWholeAndInOrder) {
  FrameRing ring(4096);
  buf::PacketPool pool({.buffers = 4, .headroom_bytes = 0, .buffer_bytes = 2048, .external_max = 0});
  constexpr std::uint32_t kCount = 20'000;
  std::uint32_t pushed = 0;
  std::atomic<bool> is_over = false;
  std::thread producer([&] {
    std::mt19937_64 random(tests::test_seed());
    std::array<buf::Packet, 1> packets;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      (void)pool.alloc(packets);
      const auto bytes = static_cast<std::uint16_t>(random() % 1500);
      std::ranges::fill(packets[0].append(bytes), static_cast<std::byte>(i));
      const std::size_t mark = ring.mark();
      const bool is_kept = ring.push({.kept_bytes = bytes, .frame_bytes = bytes, .session = i}, packets[0]);
      if (random() % 4 == 0) {
        ring.rewind(mark);
      } else {
        pushed += is_kept ? 1 : 0;
      }
      ring.publish();
      buf::release_burst(packets);
    }
    is_over = true;
  });
  std::uint32_t seen = 0;
  std::int64_t last = -1;
  FrameRecord record;
  std::span<const std::byte> bytes;
  while (true) {
    const bool was_over = is_over;
    if (!ring.front(record, bytes)) {
      if (was_over) {
        break;
      }
      continue;
    }
    ++seen;
    EXPECT_GT(std::int64_t{record.session}, last);
    last = record.session;
    EXPECT_EQ(bytes.size(), record.kept_bytes);
    EXPECT_TRUE(std::ranges::all_of(bytes, [&](std::byte byte) { return byte == static_cast<std::byte>(last); }));
    ring.pop(record);
    ring.release();
  }
  producer.join();
  EXPECT_EQ(seen, pushed);
  EXPECT_GT(seen, 0U);
}

}  // namespace
}  // namespace millrace::port
