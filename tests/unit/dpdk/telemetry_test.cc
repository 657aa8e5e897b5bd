// What the telemetry socket answers, asked as an operator's tool asks: over the socket, of a device whose frames come
// back, with boards that a worker writes.
#include "dataplane/dpdk/telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include "dataplane/port/capture.h"

/// As in device_test.cc.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT: its name
  return "race:librte_\n";
}

namespace millrace::dpdk {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class TelemetryTest : public testing::Test {
 protected:
  TelemetryTest() : capture_(1) {
    static const auto eal = [] {
      auto made = Eal::start({.memory_bytes = 128 << 20, .uses_huge_pages = false, .has_telemetry = true});
      EXPECT_TRUE(made) << made.error().what;
      return std::move(*made);
    }();
    auto opened = Device::open(*eal, *parse_port_spec("ring:7"), 1, {.buffers = 2048});
    EXPECT_TRUE(opened) << opened.error().what;
    device_ = std::move(*opened);
    port_ = std::make_unique<port::CapturePort>(device_->port(0), capture_.tap(0));
    telemetry_ = std::make_unique<Telemetry>(*device_, capture_, boards_);
    std::string name = (fs::temp_directory_path() / "telemetry_test_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    EXPECT_TRUE(device_->tick());
  }
  ~TelemetryTest() override {
    telemetry_.reset();
    capture_.stop();
    device_->shut_down();
    fs::remove_all(folder_);
  }
  TelemetryTest(const TelemetryTest&) = delete;
  TelemetryTest& operator=(const TelemetryTest&) = delete;

  /// The answer; empty: there was none.
  static std::string ask(const std::string& command) {
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string path = Telemetry::socket_path();
    EXPECT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    std::array<char, 65'536> bytes;
    ssize_t count = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
                        ? ::recv(fd, bytes.data(), bytes.size(), 0)
                        : -1;
    if (count > 0 && ::send(fd, command.data(), command.size(), 0) == static_cast<ssize_t>(command.size())) {
      count = ::recv(fd, bytes.data(), bytes.size(), 0);
    }
    ::close(fd);
    return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : std::string();
  }
  /// A frame out, which comes back; and the board is written, as a worker does.
  void turn() {
    std::array<buf::Packet, 8> packets;
    if (port_->alloc(std::span(packets).first(1)) == 1) {
      std::memset(packets[0].append(64).data(), 1, 64);
      (void)port_->tx_burst({}, std::span(packets).first(1));
    }
    buf::release_burst(std::span(packets).first(port_->rx_burst({}, packets)));
    boards_[0].begin();
    boards_[0].visit(dataplane::CounterKind::Drop, "udp_checksum", 3);
    boards_[0].visit(dataplane::CounterKind::Drop, "not_ours", 0);
    boards_[0].visit(dataplane::CounterKind::Stack, "echo_replies_sent", 4);
    port::for_each_counter(port_->counters(), [&](std::string_view name, std::uint64_t value) {
      boards_[0].visit(dataplane::CounterKind::Queue, name, value);
    });
  }

  port::Capture capture_;
  std::array<dataplane::CounterBoard, 1> boards_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<port::CapturePort> port_;
  std::unique_ptr<Telemetry> telemetry_;
  fs::path folder_;
};

TEST_F(TelemetryTest, TellsDeviceQueuesAndDrops) {
  turn();
  turn();
  const std::string ports = ask("/millrace/ports");
  EXPECT_THAT(ports, HasSubstr("\"driver\":\"net_ring\""));
  EXPECT_THAT(ports, HasSubstr("\"link\":\"up\""));
  EXPECT_THAT(ports, HasSubstr("\"queues\":1"));
  const std::string queues = ask("/millrace/queues");
  EXPECT_THAT(queues, HasSubstr("{\"/millrace/queues\":{\"queue_0\":{\"rx_frames\":2,\"rx_bytes\":128"));
  EXPECT_THAT(queues, HasSubstr("\"tx_frames\":2"));
  EXPECT_EQ(ask("/millrace/drops"), "{\"/millrace/drops\":{\"worker_0\":{\"udp_checksum\":3}}}");
  EXPECT_EQ(ask("/millrace/drops,0"), "{\"/millrace/drops\":{\"worker_0\":{\"udp_checksum\":3}}}");
  EXPECT_EQ(ask("/millrace/stack"), "{\"/millrace/stack\":{\"worker_0\":{\"echo_replies_sent\":4}}}");
  EXPECT_THAT(ask("/millrace/drops,1"), HasSubstr("\"error\":\"a worker is a number from 0 to 0"));
  EXPECT_THAT(ask("/ethdev/list"), HasSubstr("["));  // DPDK's own are there
}

TEST_F(TelemetryTest, CapturesAreStartedAndStopped) {
  EXPECT_THAT(ask("/millrace/capture/stop"), HasSubstr("\"error\":\"capture: none is running\""));
  EXPECT_THAT(ask("/millrace/capture/start," + folder_.string() + ",100,65536,10"), HasSubstr("\"running\":1"));
  EXPECT_THAT(ask("/millrace/capture/start," + folder_.string()), HasSubstr("stop it first"));
  turn();
  const std::string stopped = ask("/millrace/capture/stop");
  EXPECT_THAT(stopped, HasSubstr("\"running\":0,\"end\":\"stopped\",\"frames\":2,"));
  EXPECT_THAT(stopped, HasSubstr("\"files\":[\"worker_0_"));
  EXPECT_EQ(ask("/millrace/capture/status").substr(sizeof "{\"/millrace/capture/status"),
            stopped.substr(sizeof "{\"/millrace/capture/stop"));
}

TEST_F(TelemetryTest, WhatCannotBeIsRefusedWithASentence) {
  EXPECT_THAT(ask("/millrace/capture/start"), HasSubstr("\"error\":\"capture: DIR,"));
  EXPECT_THAT(ask("/millrace/capture/start,relative"), HasSubstr("path begins with /"));
  EXPECT_THAT(ask("/millrace/capture/start," + folder_.string() + ",0"), HasSubstr("FRAMES is a whole number from 1"));
  EXPECT_THAT(ask("/millrace/capture/start,/proc"), HasSubstr("no file can be made in the directory"));
  EXPECT_THAT(ask("/millrace/capture/start," + (folder_ / "\"\\").string()), HasSubstr("No such file or directory"));
  EXPECT_THAT(ask("/millrace/capture/status"), HasSubstr("\"running\":0"));
}

TEST_F(TelemetryTest, AfterTheEndItSaysSo) {
  telemetry_.reset();
  EXPECT_THAT(ask("/millrace/ports"), HasSubstr("the server is ending"));
}

// For the thread sanitizer: asked while the worker works.
TEST_F(TelemetryTest, ThreadsMayAskWhileAWorkerWorks) {
  std::atomic<bool> is_over = false;
  std::thread worker([&] {
    const EalThread known;
    while (!is_over.load(std::memory_order_relaxed)) {
      turn();
    }
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(ask("/millrace/queues"), Not(HasSubstr("\"error\"")));
    EXPECT_THAT(ask("/millrace/ports"), HasSubstr("\"link\":\"up\""));
    if (i % 4 == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // files have names of their own
      EXPECT_THAT(ask("/millrace/capture/start," + folder_.string() + ",1000"), Not(HasSubstr("\"error\"")));
    }
    EXPECT_TRUE(device_->tick());
    if (i % 4 == 3) {
      (void)ask("/millrace/capture/stop");
    }
  }
  is_over = true;
  worker.join();
}

}  // namespace
}  // namespace millrace::dpdk
