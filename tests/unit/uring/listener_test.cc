// Listening sockets: who may share an address, what becomes of a socket file, and the operator's sentences.
#include "dataplane/uring/listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace millrace::uring {
namespace {

using dataplane::Endpoint;
using testing::HasSubstr;

/// Opened sockets, closed with the test.
class ListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "millrace_listener_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    for (const int socket : sockets_) {
      close(socket);
    }
    std::filesystem::remove_all(folder_);
  }

  Result<int> open(const ListenerOptions& options) {
    auto opened = open_listener(options);
    if (opened) {
      sockets_.push_back(*opened);
    }
    return opened;
  }
  /// The sentence of an opening that fails.
  std::string refusal(const ListenerOptions& options) {
    const auto opened = open(options);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().what;
  }
  [[nodiscard]] Endpoint path(const char* name) const { return *Endpoint::unix_path((folder_ / name).string()); }

  std::filesystem::path folder_;
  std::vector<int> sockets_;
};

Endpoint udp(const char* host = "127.0.0.1", std::uint16_t port = 0) {
  Endpoint endpoint = Endpoint::resolve(host, port)->front();
  endpoint.is_datagram = true;
  return endpoint;
}

Endpoint loopback() { return Endpoint::resolve("127.0.0.1", 0)->front(); }

TEST_F(ListenerTest, WorkersShareAPortThatASecondServerCannotTake) {
  const auto first = open({.endpoint = loopback(), .sharing = PortSharing::First});
  ASSERT_TRUE(first);
  const Endpoint bound = *bound_endpoint(*first);
  EXPECT_NE(bound.port(), 0);
  EXPECT_TRUE(open({.endpoint = bound, .sharing = PortSharing::Next}));
  EXPECT_TRUE(open({.endpoint = bound, .sharing = PortSharing::Next}));
  for (const PortSharing sharing : {PortSharing::First, PortSharing::Alone}) {
    EXPECT_THAT(refusal({.endpoint = bound, .sharing = sharing}), HasSubstr("another process does already"));
  }
}

TEST_F(ListenerTest, ASharedPortGetsConnectionsToEachSocket) {
  const auto first = open({.endpoint = loopback(), .sharing = PortSharing::First});
  ASSERT_TRUE(first);
  const Endpoint bound = *bound_endpoint(*first);
  const auto second = open({.endpoint = bound, .sharing = PortSharing::Next});
  ASSERT_TRUE(second);
  int waiting_at_first = 0;
  constexpr int kClients = 100;
  for (int i = 0; i < kClients; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets_.push_back(client);
    ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&bound.address), bound.address_bytes), 0);
  }
  ASSERT_EQ(fcntl(*first, F_SETFL, O_NONBLOCK), 0);
  for (int accepted = accept(*first, nullptr, nullptr); accepted >= 0; accepted = accept(*first, nullptr, nullptr)) {
    sockets_.push_back(accepted);
    ++waiting_at_first;
  }
  EXPECT_GT(waiting_at_first, 0);
  EXPECT_LT(waiting_at_first, kClients);
}

TEST_F(ListenerTest, AloneMeansAlone) {
  const auto first = open({.endpoint = loopback()});
  ASSERT_TRUE(first);
  const Endpoint bound = *bound_endpoint(*first);
  for (const PortSharing sharing : {PortSharing::Alone, PortSharing::First, PortSharing::Next}) {
    EXPECT_THAT(refusal({.endpoint = bound, .sharing = sharing}), HasSubstr("another process does already"));
  }
}

TEST_F(ListenerTest, AStaleSocketFileIsReplaced) {
  const auto first = open({.endpoint = path("s")});
  ASSERT_TRUE(first);
  close(std::exchange(sockets_.back(), -1));  // as after a kill -9: the file stays
  EXPECT_TRUE(std::filesystem::exists(folder_ / "s"));
  EXPECT_TRUE(open({.endpoint = path("s")}));
}

TEST_F(ListenerTest, AServedSocketFileStays) {
  ASSERT_TRUE(open({.endpoint = path("s")}));
  EXPECT_THAT(refusal({.endpoint = path("s")}), HasSubstr("another process does already"));
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockets_.push_back(client);
  const Endpoint at = path("s");
  EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&at.address), at.address_bytes), 0);
}

TEST_F(ListenerTest, AFileThatIsNoSocketStays) {
  close(::open((folder_ / "s").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_THAT(refusal({.endpoint = path("s")}), HasSubstr("is no socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder_ / "s"));
}

TEST_F(ListenerTest, ModeOfTheSocketFile) {
  for (const std::uint32_t mode : {0700U, 0777U, 0600U}) {
    ASSERT_TRUE(open({.endpoint = path("s"), .unix_mode = mode}));
    struct stat status{};
    ASSERT_EQ(stat((folder_ / "s").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, mode);
    close(std::exchange(sockets_.back(), -1));
  }
}

TEST_F(ListenerTest, SaysWhatIsWrong) {
  EXPECT_THAT(refusal({.endpoint = path("no/such/folder")}), HasSubstr("its folder does not exist"));
  EXPECT_THAT(refusal({.endpoint = Endpoint::resolve("192.0.2.1", 0)->front()}), HasSubstr("no such address"));
}

TEST_F(ListenerTest, ADuplicateOutlivesTheFirst) {
  const auto first = open({.endpoint = path("s")});
  ASSERT_TRUE(first);
  const auto copy = duplicate_listener(*first);
  ASSERT_TRUE(copy);
  close(std::exchange(sockets_.back(), -1));
  sockets_.push_back(*copy);
  EXPECT_EQ(bound_endpoint(*copy)->text(), path("s").text());
  EXPECT_THAT(refusal({.endpoint = path("s")}), HasSubstr("another process does already"));
}

TEST_F(ListenerTest, WorkersShareAUdpPortThatASecondServerCannotTake) {
  for (const char* host : {"127.0.0.1", "::1", "0.0.0.0", "::"}) {
    const auto first = open({.endpoint = udp(host), .sharing = PortSharing::First});
    ASSERT_TRUE(first) << host;
    const Endpoint bound = *bound_endpoint(*first);
    EXPECT_TRUE(bound.is_datagram);
    EXPECT_NE(bound.port(), 0);
    ASSERT_TRUE(open({.endpoint = bound, .sharing = PortSharing::Next}));
    for (const PortSharing sharing : {PortSharing::Alone, PortSharing::First}) {
      EXPECT_THAT(refusal({.endpoint = bound, .sharing = sharing}), HasSubstr("another process does already"));
    }
  }
}

/// All datagrams of one client's socket come to one worker, those of many to each.
TEST_F(ListenerTest, ClientsAreSpreadOverTheUdpSockets) {
  const int first = *open({.endpoint = udp(), .sharing = PortSharing::First});
  const Endpoint bound = *bound_endpoint(first);
  const int next = *open({.endpoint = bound, .sharing = PortSharing::Next});
  std::size_t to_first = 0;
  constexpr std::size_t kClients = 64;
  for (std::size_t i = 0; i < kClients; ++i) {
    const int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockets_.push_back(client);
    for (int k = 0; k < 3; ++k) {
      ASSERT_EQ(sendto(client, "x", 1, 0, reinterpret_cast<const sockaddr*>(&bound.address), bound.address_bytes), 1);
    }
    char bytes[8];
    const bool is_first = recv(first, bytes, sizeof bytes, MSG_DONTWAIT) == 1;
    to_first += is_first ? 1 : 0;
    for (int k = is_first ? 1 : 0; k < 3; ++k) {
      EXPECT_EQ(recv(is_first ? first : next, bytes, sizeof bytes, MSG_DONTWAIT), 1);
    }
  }
  EXPECT_GT(to_first, 0U);
  EXPECT_LT(to_first, kClients);
}

TEST_F(ListenerTest, AUdpPortIsNoTcpPort) {
  const auto stream = open({.endpoint = loopback()});
  Endpoint same = *bound_endpoint(*stream);
  EXPECT_FALSE(same.is_datagram);
  same.is_datagram = true;
  EXPECT_TRUE(open({.endpoint = same}));
}

}  // namespace
}  // namespace millrace::uring
