// Any list of fragments, against a plain model: a datagram that becomes whole has each byte from exactly one fragment
// that came, and no two of its fragments overlapped. Six bytes a fragment: id, offset (two), length, flags, time.

#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "dataplane/ip/reassembly.h"
#include "dataplane/wire/ipv4.h"
#include "fuzz/check.h"
#include "support/stack_world.h"

namespace {

using namespace millrace;  // NOLINT: a program of one file

struct Model {
  std::map<std::uint32_t, std::vector<std::byte>> pieces;  ///< by offset
  std::uint32_t end = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fuzz::require;
  ip::Reassembler reassembler({.datagrams_max = 3});
  wire::DropCounters counters;
  std::map<std::uint32_t, Model> models;
  Instant now = Instant{} + seconds(1);
  for (std::size_t at = 0; at + 6 <= size; at += 6) {
    const std::uint32_t id = data[at] % 4;
    const std::uint32_t offset = ((std::uint32_t{data[at + 1]} << 8 | data[at + 2]) & 0x1fff) * 8;
    const bool more = (data[at + 4] & 1) != 0;
    std::uint32_t bytes = std::uint32_t{data[at + 3]} * ((data[at + 4] & 2) != 0 ? 64 : 1);
    bytes = more ? bytes / 8 * 8 : bytes;
    if (bytes == 0 || offset + bytes > 65'535) {
      continue;  // input_v4 and input_v6 have refused it
    }
    now = now + milliseconds(data[at + 5]);
    std::vector<std::byte> payload(bytes);
    for (std::uint32_t i = 0; i < bytes; ++i) {
      payload[i] = static_cast<std::byte>((offset + i) * 7 + ((data[at + 4] & 4) != 0 ? 1 : 0));
    }
    const ip::Arrived fragment{.is_fragment = true,
                               .protocol = wire::kProtocolUdp,
                               .fragment = {.id = id, .offset_bytes = static_cast<std::uint16_t>(offset), .more = more},
                               .source = tests::v4(10, 0, 0, 1),
                               .destination = tests::v4(10, 0, 0, 2),
                               .payload = payload};
    const ip::ReassemblyOutcome outcome = reassembler.add(now, fragment, counters);
    require(reassembler.waiting() <= 3, "more wait than may");
    if (outcome.drop == wire::Drop::None && !(offset == 0 && !more)) {
      // Accepted: it is remembered. What an eviction or time has taken is only more than the model needs, so only
      // the last piece at each place counts.
      models[id].pieces[offset] = payload;
      models[id].end = more ? models[id].end : offset + bytes;
    }
    if (!outcome.is_whole) {
      continue;
    }
    if (offset == 0 && !more) {
      require(outcome.payload.size() == bytes, "a fragment that is all");
      continue;
    }
    const Model& model = models[id];
    require(outcome.payload.size() == model.end, "the end is where the last fragment ended");
    std::uint32_t covered = 0;
    while (covered < outcome.payload.size()) {
      const auto piece = model.pieces.find(covered);
      require(piece != model.pieces.end(), "a gap was filled with nothing");
      require(std::memcmp(outcome.payload.data() + covered, piece->second.data(), piece->second.size()) == 0,
              "bytes that no fragment had");
      covered += static_cast<std::uint32_t>(piece->second.size());
    }
    require(covered == outcome.payload.size(), "a fragment reaches beyond the end");
    models.erase(id);
    reassembler.release_whole();
  }
  now = now + seconds(10);
  reassembler.expire(now, counters);
  require(reassembler.waiting() == 0, "something waits for ever");
  return 0;
}
