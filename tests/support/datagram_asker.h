// A client that asks one worker by datagrams, one question at a time, and puts the answer together. Single-threaded.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "protocol/udp_frame.h"
#include "support/sim_transport.h"

namespace millrace::tests {

class DatagramAsker {
 public:
  explicit DatagramAsker(std::uint16_t port) {
    flow_.peer[15] = 1;  // ::1
    flow_.peer_port = port;
    flow_.local_port = 11211;
  }
  [[nodiscard]] dataplane::DatagramFlow& flow() { return flow_; }

  void ask(SimTransport& transport, const std::string& commands) {
    ++request_id_;
    parts_.clear();
    total_ = 0;
    const auto header = protocol::udp_header_bytes({.request_id = request_id_, .sequence = 0, .total = 1});
    std::string datagram(reinterpret_cast<const char*>(header.data()), header.size());
    datagram += commands;
    transport.datagram(flow_, std::move(datagram));
  }
  void take(const SimDatagram& datagram) {
    EXPECT_EQ(datagram.flow, flow_);
    ASSERT_GT(datagram.bytes.size(), protocol::kUdpHeaderBytes);
    ASSERT_LE(datagram.bytes.size(), protocol::kUdpDatagramBytesMax);
    const auto header =
        protocol::load_udp_header(std::as_bytes(std::span(datagram.bytes.data(), datagram.bytes.size())));
    EXPECT_EQ(header.request_id, request_id_);
    EXPECT_LT(header.sequence, header.total);
    EXPECT_TRUE(total_ == 0 || total_ == header.total);
    total_ = header.total;
    EXPECT_TRUE(parts_.emplace(header.sequence, datagram.bytes.substr(protocol::kUdpHeaderBytes)).second) << "twice";
    ++datagrams_;
  }
  [[nodiscard]] bool is_answered() const { return total_ != 0 && parts_.size() == total_; }
  [[nodiscard]] std::string answer() const {
    std::string whole;
    for (const auto& [sequence, bytes] : parts_) {
      whole += bytes;
    }
    return whole;
  }
  /// Of all answers so far.
  [[nodiscard]] std::uint64_t datagrams() const { return datagrams_; }

 private:
  dataplane::DatagramFlow flow_;
  std::uint16_t request_id_ = 0;
  std::uint16_t total_ = 0;
  std::map<std::uint16_t, std::string> parts_;
  std::uint64_t datagrams_ = 0;
};

}  // namespace millrace::tests
