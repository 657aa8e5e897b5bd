// For any response and any order of its datagrams, with duplicates, strangers and noise between them:
//   what is joined is what was split, and it is complete with the last missing part, no sooner.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/udp_frame.h"
#include "protocol/udp_join.h"
#include "support/seed.h"

namespace millrace::tests {
namespace {

using protocol::UdpJoin;
using protocol::UdpSplit;
using Taken = UdpJoin::Taken;

constexpr std::size_t kResponseBytesMax = 40 * protocol::kUdpBodyBytesMax;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string datagram_of(const UdpSplit& split, std::size_t index, const std::string& response) {
  const UdpSplit::Part part = split.part(index);
  const auto head = protocol::udp_header_bytes(part.header);
  return std::string(reinterpret_cast<const char*>(head.data()), head.size()).append(response, part.offset, part.bytes);
}

std::string random_bytes(std::mt19937_64& random, std::size_t count) {
  std::string text(count, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(UdpFrameProperty, JoinUndoesSplitInAnyOrder) {
  std::mt19937_64 random(test_seed());
  UdpJoin join(kResponseBytesMax);
  for (int round = 0; round < 300; ++round) {
    const auto request_id = static_cast<std::uint16_t>(random());
    const std::string response = random_bytes(random, 1 + random() % kResponseBytesMax);
    const UdpSplit split(request_id, response.size());
    std::vector<std::string> datagrams;
    for (std::size_t i = 0; i < split.count(); ++i) datagrams.push_back(datagram_of(split, i, response));
    std::shuffle(datagrams.begin(), datagrams.end(), random);

    join.begin(request_id);
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      if (i > 0 && random() % 4 == 0) {
        ASSERT_EQ(join.take(bytes(datagrams[random() % i])), Taken::Duplicate);
      }
      if (random() % 4 == 0) {
        std::string stranger = datagrams[i];
        stranger[random() % 2] ^= static_cast<char>(1 + random() % 255);
        ASSERT_EQ(join.take(bytes(stranger)), Taken::Foreign);
      }
      ASSERT_EQ(join.take(bytes(datagrams[i])), i + 1 == datagrams.size() ? Taken::Complete : Taken::Part);
    }
    ASSERT_TRUE(std::ranges::equal(join.response(), bytes(response)));
  }
}

// Noise with this request's id, so that it gets past the first check: never more than there is room for, never complete
// with less than `total` parts taken.
TEST(UdpFrameProperty, NoiseStaysWithinBounds) {
  std::mt19937_64 random(test_seed());
  UdpJoin join(kResponseBytesMax);
  for (int round = 0; round < 200; ++round) {
    join.begin(0);
    std::size_t parts = 0;
    for (int i = 0; i < 100; ++i) {
      std::string noise = random_bytes(random, random() % 3 == 0 ? random() % 1500 : protocol::kUdpDatagramBytesMax);
      const std::string head{0, 0, 0, static_cast<char>(random() % 5), 0, static_cast<char>(random() % 5)};
      noise.replace(0, std::min(noise.size(), head.size()), head, 0, std::min(noise.size(), head.size()));
      const Taken taken = join.take(bytes(noise));
      if (taken == Taken::Part || taken == Taken::Complete) ++parts;
      if (taken == Taken::Complete) {
        ASSERT_EQ(parts, static_cast<std::size_t>(noise[5]));
      }
      ASSERT_LE(join.response().size(), parts * protocol::kUdpBodyBytesMax);
      const protocol::UdpRequest request = protocol::read_udp_request(bytes(noise));
      ASSERT_EQ(request.drop == protocol::UdpDrop::None, noise.size() >= 8 && noise[5] == 1);
    }
  }
}

}  // namespace
}  // namespace millrace::tests
