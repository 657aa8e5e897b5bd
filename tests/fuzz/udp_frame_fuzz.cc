// Any datagrams as a memcached server's answer over UDP: what is put together is the parts in order, each once, and it
// is told complete once. An input is two bytes of request id, then datagrams, each behind its length in two bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "fuzz/check.h"
#include "protocol/udp_frame.h"
#include "protocol/udp_join.h"

namespace {

constexpr std::size_t kResponseBytesMax = 8 * millrace::protocol::kUdpBodyBytesMax;

std::size_t number(std::span<const std::byte> bytes) {
  return std::to_integer<std::size_t>(bytes[0]) << 8U | std::to_integer<std::size_t>(bytes[1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::protocol;
  using Taken = UdpJoin::Taken;
  std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  if (input.size() < 2) {
    return 0;
  }
  UdpJoin join(kResponseBytesMax);
  const auto id = static_cast<std::uint16_t>(number(input));
  join.begin(id);
  input = input.subspan(2);
  std::map<std::uint16_t, std::string> parts;
  std::uint16_t total = 0;
  bool was_complete = false;
  while (input.size() >= 2) {
    const std::size_t bytes = std::min(number(input), input.size() - 2);
    // A copy of its own, so that a sanitizer sees a byte too far.
    const std::vector<std::byte> datagram(input.begin() + 2, input.begin() + 2 + static_cast<std::ptrdiff_t>(bytes));
    input = input.subspan(2 + bytes);
    const UdpRequest request = read_udp_request(datagram);
    millrace::fuzz::require((request.drop == UdpDrop::NoHeader) == (datagram.size() < kUdpHeaderBytes),
                            "no header is a datagram shorter than one");
    const Taken taken = join.take(datagram);
    if (datagram.size() <= kUdpHeaderBytes) {
      millrace::fuzz::require(taken == Taken::Malformed, "a part without a body");
      continue;
    }
    const UdpHeader header = load_udp_header(datagram);
    if (taken == Taken::Part || taken == Taken::Complete) {
      millrace::fuzz::require(header.request_id == id && (total == 0 || header.total == total), "a stranger's part");
      total = header.total;
      const auto* body = reinterpret_cast<const char*>(datagram.data()) + kUdpHeaderBytes;
      const bool is_new = parts.emplace(header.sequence, std::string(body, datagram.size() - kUdpHeaderBytes)).second;
      millrace::fuzz::require(is_new, "a part twice");
    }
    millrace::fuzz::require(taken != Taken::Duplicate || parts.contains(header.sequence), "a duplicate of nothing");
    if (taken == Taken::Complete) {
      millrace::fuzz::require(!was_complete && parts.size() == total, "complete too soon or twice");
      was_complete = true;
      std::string whole;
      for (const auto& [sequence, body] : parts) {
        whole += body;
      }
      const auto response = join.response();
      millrace::fuzz::require(std::string(reinterpret_cast<const char*>(response.data()), response.size()) == whole,
                              "the response is not its parts in order");
    }
  }
  return 0;
}
