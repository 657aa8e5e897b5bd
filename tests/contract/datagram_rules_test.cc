// Rule 14: connections without a stream.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/contract/suite.h"

namespace millrace::contract {
namespace {

using dataplane::CloseReason;
using dataplane::Endpoint;
using dataplane::EventKind;

/// A kernel UDP socket on loopback.
class UdpPeer {
 public:
  UdpPeer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    endpoint_.is_datagram = true;
    endpoint_.address_bytes = sizeof endpoint_.address;
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&endpoint_.address), &endpoint_.address_bytes), 0);
  }
  ~UdpPeer() { end(); }
  UdpPeer(const UdpPeer&) = delete;
  UdpPeer& operator=(const UdpPeer&) = delete;

  void end() {
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  /// The datagram that waits; its sender is whom send() answers.
  std::optional<std::string> receive() {
    char bytes[65536];
    from_bytes_ = sizeof from_;
    const ssize_t got =
        recvfrom(fd_, bytes, sizeof bytes, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from_), &from_bytes_);
    return got < 0 ? std::nullopt : std::optional(std::string(bytes, static_cast<std::size_t>(got)));
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&from_), from_bytes_),
              static_cast<ssize_t>(bytes.size()));
  }

 private:
  int fd_;
  Endpoint endpoint_;
  sockaddr_storage from_{};
  socklen_t from_bytes_ = 0;
};

class Rule14Datagrams : public TransportContract {
 protected:
  ConnId connect_to(const UdpPeer& peer) {
    ConnId conn;
    EXPECT_EQ(transport->connect(peer.endpoint(), conn), Status::Ok);
    EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Opened, conn) == 1; }));
    return conn;
  }
  std::string receive(UdpPeer& peer) {
    std::optional<std::string> got;
    EXPECT_TRUE(driver->until([&] {
      got = peer.receive();
      return got.has_value();
    }));
    return got.value_or("");
  }
  [[nodiscard]] std::vector<std::string> told(ConnId conn) const {
    std::vector<std::string> bytes;
    for (const Seen& seen : driver->seen()) {
      if (seen.kind == EventKind::Bytes && seen.conn == conn) {
        bytes.push_back(seen.bytes);
      }
    }
    return bytes;
  }
};

TEST_P(Rule14Datagrams, EachSendAndEachBytesIsOne) {
  UdpPeer peer;
  const ConnId conn = connect_to(peer);
  driver->send(conn, "one, in three slices", 3);
  EXPECT_EQ(receive(peer), "one, in three slices");
  peer.send("a");
  peer.send(std::string(1400, 'b'));
  peer.send("c");
  EXPECT_TRUE(driver->until([&] { return told(conn).size() == 3; }));
  EXPECT_EQ(told(conn), (std::vector<std::string>{"a", std::string(1400, 'b'), "c"}));
  driver->send(conn, "two");
  EXPECT_EQ(receive(peer), "two");
  finish();
}

TEST_P(Rule14Datagrams, AnEmptyOneIsNoEnd) {
  UdpPeer peer;
  const ConnId conn = connect_to(peer);
  driver->send(conn, "hello");
  EXPECT_EQ(receive(peer), "hello");
  peer.send("");
  peer.send("behind it");
  EXPECT_TRUE(driver->until([&] { return !told(conn).empty(); }));
  EXPECT_EQ(told(conn), (std::vector<std::string>{"behind it"}));
  EXPECT_EQ(driver->count(EventKind::PeerFinished, conn), 0U);
  finish();
}

TEST_P(Rule14Datagrams, CloseWaitsForNobody) {
  UdpPeer peer;
  const ConnId conn = connect_to(peer);
  driver->send(conn, "last words");
  driver->close(conn);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_EQ(driver->close_reason(conn), CloseReason::Requested);
  EXPECT_EQ(peer.receive(), "last words");
  driver->expect_no_leaks();
}

TEST_P(Rule14Datagrams, NobodyThereIsAReset) {
  UdpPeer peer;
  const ConnId conn = connect_to(peer);
  peer.end();
  driver->send(conn, "is anybody there?");
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_EQ(driver->close_reason(conn), CloseReason::Reset);
  EXPECT_EQ(driver->unreleased(conn), 0U);
  driver->expect_no_leaks();
}

TEST_P(Rule14Datagrams, ASlotIsAStreamAgainAfterwards) {
  UdpPeer peer;
  const ConnId conn = connect_to(peer);
  driver->abort(conn);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  Peer stream = connect_peer();
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Opened) == 2; }));
  const ConnId next = driver->opened(1);
  EXPECT_EQ(next.slot, conn.slot);
  stream.finish_sending();
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, next) == 1; }));
  finish();
}

INSTANTIATE_TEST_SUITE_P(Backends, Rule14Datagrams, testing::ValuesIn(backends()),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace millrace::contract
