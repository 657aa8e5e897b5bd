// dataplane/ip/ndp_input.h: RFC 4861 7.1, rule by rule, and what is answered.
#include <gtest/gtest.h>

#include <functional>

#include "dataplane/ip/ndp_input.h"
#include "support/stack_world.h"

namespace millrace::ip {
namespace {

using tests::mac_of;
using tests::v6;
using wire::Drop;

/// A message and what is around it, all of it right until a test changes something.
struct Solicited {
  wire::NeighborMessage message{.target = v6(2), .link_address = mac_of(1)};
  Arrived arrived{.to_group = true, .ttl = 255, .source = v6(1), .destination = wire::solicited_node(v6(2))};
};

class NdpInput : public testing::Test {
 protected:
  NdpOutcome input_after(const std::function<void(Solicited&)>& change) {
    Solicited one;
    change(one);
    std::byte bytes[wire::kNeighborBytes + wire::kLinkAddressOptionBytes];
    one.arrived.payload = {bytes, wire::write_neighbor(bytes, one.message)};
    return input_ndp(now, one.arrived, mac_of(1), host, neighbors);
  }
  static void make_answer(Solicited& one) {
    one.message = {.is_advertisement = true, .is_solicited = true, .target = v6(1), .link_address = mac_of(1)};
    one.arrived.to_group = false;
    one.arrived.destination = v6(2);
  }

  const HostAddresses host = tests::addresses_of(2);
  NeighborCache neighbors{1};
  Instant now = Instant{} + seconds(1);
};

TEST_F(NdpInput, AnswersAQuestionAboutUsAndLearnsWhoAsked) {
  const NdpOutcome outcome = input_after([](Solicited&) {});
  ASSERT_TRUE(outcome.reply);
  EXPECT_TRUE(outcome.reply->message.is_advertisement);
  EXPECT_TRUE(outcome.reply->message.is_solicited);
  EXPECT_EQ(outcome.reply->message.target, v6(2));
  EXPECT_EQ(outcome.reply->message.link_address, mac_of(2));
  EXPECT_EQ(outcome.reply->destination, v6(1));
  EXPECT_EQ(outcome.reply->to, mac_of(1));
  EXPECT_TRUE(neighbors.is_known(v6(1)));
}

TEST_F(NdpInput, AProbeIsAnsweredToAllAndTeachesNothing) {
  const NdpOutcome outcome = input_after([](Solicited& one) {
    one.arrived.source = {};
    one.message.link_address.reset();
  });
  ASSERT_TRUE(outcome.reply);
  EXPECT_FALSE(outcome.reply->message.is_solicited);
  EXPECT_EQ(outcome.reply->destination, wire::kAllNodes);
  EXPECT_FALSE(neighbors.is_known({}));
}

TEST_F(NdpInput, RefusesWhatTheRfcCallsInvalid) {
  const auto drop_after = [&](const std::function<void(Solicited&)>& change) { return input_after(change).drop; };
  EXPECT_EQ(drop_after([](Solicited& one) { one.arrived.ttl = 254; }), Drop::NdpMalformed);
  EXPECT_EQ(drop_after([](Solicited& one) { one.arrived.was_fragmented = true; }), Drop::NdpMalformed);  // RFC 6980
  EXPECT_EQ(drop_after([](Solicited& one) { one.message.target = wire::kAllNodes; }), Drop::NdpMalformed);
  EXPECT_EQ(drop_after([](Solicited& one) { one.arrived.source = {}; }), Drop::NdpMalformed);  // a probe with a MAC
  EXPECT_EQ(drop_after([](Solicited& one) {
              one.arrived.source = {};
              one.message.link_address.reset();
              one.arrived.to_group = false;
              one.arrived.destination = v6(2);
            }),
            Drop::NdpMalformed);  // a probe to one
  EXPECT_EQ(drop_after([](Solicited& one) { one.message.link_address = wire::kBroadcastMac; }), Drop::NdpMalformed);
  EXPECT_EQ(drop_after([](Solicited& one) {
              make_answer(one);
              one.arrived.to_group = true;
              one.arrived.destination = wire::kAllNodes;
            }),
            Drop::NdpMalformed);  // solicited, and yet to a group
  EXPECT_FALSE(neighbors.is_known(v6(1)));
}

TEST_F(NdpInput, LearnsNothingFromBeyondTheLinkOrUnasked) {
  const auto drop_after = [&](const std::function<void(Solicited&)>& change) { return input_after(change).drop; };
  const wire::IpAddress far{{0x20, 0x01, 0x0d, 0xb9}};
  EXPECT_EQ(drop_after([&](Solicited& one) { one.arrived.source = far; }), Drop::NdpNotForUs);
  EXPECT_FALSE(neighbors.is_known(far));
  EXPECT_EQ(drop_after([](Solicited& one) { one.message.target = v6(3); }), Drop::NdpNotForUs);
  EXPECT_EQ(drop_after(&NdpInput::make_answer), Drop::NdpNotForUs);
  EXPECT_FALSE(neighbors.is_known(v6(1)));
  EXPECT_EQ(drop_after([](Solicited& one) {
              make_answer(one);
              one.message.target = v6(2);
            }),
            Drop::AddressConflict);
}

TEST_F(NdpInput, TakesTheAnswerItAskedFor) {
  buf::PacketPool pool({.buffers = 1});
  buf::Packet packet;
  ASSERT_EQ(pool.alloc({&packet, 1}), 1U);
  EXPECT_FALSE(neighbors.resolve(now, v6(1), false, packet).is_known);
  Solicitation wanted;
  ASSERT_TRUE(neighbors.next_due(now, wanted));
  const NeighborReply question = make_neighbor_solicitation(host, v6(2), wanted);
  EXPECT_EQ(question.destination, wire::solicited_node(v6(1)));
  EXPECT_EQ(question.to, wire::group_mac(wire::solicited_node(v6(1))));
  EXPECT_EQ(input_after(&NdpInput::make_answer).drop, Drop::None);
  EXPECT_TRUE(neighbors.is_known(v6(1)));
  wire::MacAddress mac;
  EXPECT_TRUE(neighbors.take_ready(packet, mac));
  EXPECT_EQ(mac, mac_of(1));
}

}  // namespace
}  // namespace millrace::ip
