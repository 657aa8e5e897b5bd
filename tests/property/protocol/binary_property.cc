// For any stream of binary requests, good and bad, and cut anywhere: what is parsed is what was written, and where it
// was cut makes no difference. The writer shares no code with the parser.

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "support/binary_packet.h"
#include "support/protocol_transcript.h"
#include "support/seed.h"

namespace millrace::tests {
namespace {

constexpr protocol::SessionOptions kOptions{.item_bytes_max = 3000};

/// A request as the protocol's table has it.
struct Kind {
  unsigned opcode;
  const char* name;
  const char* shape;  ///< s: a storage command's extras, n: a number's, t: a time; k: a key; v: a value
};
constexpr Kind kKinds[] = {
    {0x00, "get", "k"},     {0x01, "set", "skv"},     {0x02, "add", "skv"},    {0x03, "replace", "skv"},
    {0x04, "delete", "k"},  {0x05, "incr", "nk"},     {0x06, "decr", "nk"},    {0x09, "get", "k"},
    {0x0a, "mn", ""},       {0x0b, "version", ""},    {0x0c, "get", "k"},      {0x0d, "get", "k"},
    {0x0e, "append", "kv"}, {0x0f, "prepend", "kv"},  {0x10, "stats", "k"},    {0x11, "set", "skv"},
    {0x12, "add", "skv"},   {0x13, "replace", "skv"}, {0x14, "delete", "k"},   {0x15, "incr", "nk"},
    {0x16, "decr", "nk"},   {0x19, "append", "kv"},   {0x1a, "prepend", "kv"}, {0x1c, "touch", "tk"},
    {0x1d, "gat", "tk"},    {0x1e, "gat", "tk"},      {0x23, "gat", "tk"},     {0x24, "gat", "tk"},
};

class StreamWriter {
 public:
  explicit StreamWriter(std::uint64_t seed) : random_(seed) {}

  std::string stream;
  std::vector<std::string> events;

  void write_request() {
    if (below(12) == 0) {
      stream += packet(0xf0 + static_cast<unsigned>(below(16)), bytes(below(251)), bytes(below(256)), bytes(below(99)));
      events.emplace_back("error Unknown command");
      return;
    }
    const Kind& kind = kKinds[below(std::size(kKinds))];
    const std::string_view shape(kind.shape);
    const auto has = [&](char part) { return shape.find(part) != std::string_view::npos; };
    const PacketOptions options{.opaque = static_cast<std::uint32_t>(number()), .cas = number()};
    std::string said;
    std::string extras;
    std::string extras_said;
    if (has('s')) {
      const auto flags = static_cast<std::uint32_t>(number());
      const auto time = static_cast<std::uint32_t>(number());
      extras = big32(flags) + big32(time);
      said += named("flags", flags) + named("exptime", time);
    } else if (has('t')) {
      const auto time = static_cast<std::uint32_t>(number());
      extras = big32(time);
      said += named("exptime", time);
    } else if (has('n')) {
      const std::uint64_t delta = number();
      const std::uint64_t initial = number();
      const auto time = below(3) == 0 ? 0xffffffffU : static_cast<std::uint32_t>(number());
      extras = big64(delta) + big64(initial) + big32(time);
      said += named("exptime", time) + named("number", delta);
      extras_said = named("initial", initial) + (time != 0xffffffffU ? " creates" : "");
    }
    const std::string key = has('k') ? bytes(1 + below(250)) : "";
    std::string value;
    if (has('v')) {
      value = bytes(below(4) == 0 ? below(3000) : below(50));
      said += " value=" + readable(value);
    }
    said += named("op", kind.opcode) + named("opaque", written(options.opaque)) + named("cas", options.cas);
    stream += packet(kind.opcode, key, extras, value, options);
    events.push_back(kind.name + (key.empty() ? "" : ' ' + readable(key)) + said + extras_said);
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  std::uint64_t number() { return random_() >> below(64); }
  std::string bytes(std::size_t count) {
    std::string text(count, '\0');
    std::ranges::generate(text, [this] { return static_cast<char>(random_()); });
    return text;
  }
  static std::string named(std::string_view name, std::uint64_t number) {
    return number == 0 ? "" : ' ' + std::string(name) + '=' + std::to_string(number);
  }
  /// The opaque stays as its bytes are, whatever number they make here.
  static std::uint32_t written(std::uint32_t opaque) {
    const std::string bytes = big32(opaque);
    std::uint32_t loaded;
    std::memcpy(&loaded, bytes.data(), sizeof loaded);
    return loaded;
  }

  std::mt19937_64 random_;
};

std::vector<Cut> cuts(std::mt19937_64& random) {
  std::vector<Cut> all{cut_nowhere(), cut_every(1), cut_every(24), cut_every(1460)};
  for (const std::size_t max : {4U, 40U, 400U}) {
    all.push_back([&random, max](std::size_t) { return 1 + random() % max; });
  }
  return all;
}

TEST(BinaryProperty, WhatIsParsedIsWhatWasWritten) {
  std::mt19937_64 seeds(test_seed() + 2);
  const std::uint64_t streams = number_from_environment("MILLRACE_PARSED_STREAMS", 600);
  for (std::uint64_t i = 0; i < streams; ++i) {
    StreamWriter writer(seeds());
    for (std::size_t requests = 1 + writer.below(12); requests > 0; --requests) {
      writer.write_request();
    }
    if (writer.stream.front() != '\x80') {
      continue;
    }
    for (const Cut& cut : cuts(seeds)) {
      const Transcript found = transcript(writer.stream, cut, kOptions);
      ASSERT_EQ(found.breach, "") << "stream " << i;
      ASSERT_EQ(found.events, writer.events) << "stream " << i << ": " << readable(writer.stream);
      ASSERT_TRUE(found.is_idle) << "stream " << i;
    }
  }
}

/// Bytes changed, taken out and put in: nobody knows what they mean, but the cuts may not change it.
TEST(BinaryProperty, DamageMeansTheSameWhereverItIsCut) {
  std::mt19937_64 random(test_seed() + 3);
  const std::uint64_t streams = number_from_environment("MILLRACE_PARSED_STREAMS", 600);
  for (std::uint64_t i = 0; i < streams; ++i) {
    StreamWriter writer(random());
    for (std::size_t requests = 1 + writer.below(6); requests > 0; --requests) {
      writer.write_request();
    }
    std::string stream = writer.stream;
    for (std::size_t damages = 1 + random() % 4; damages > 0 && !stream.empty(); --damages) {
      const std::size_t at = 1 + random() % stream.size();
      switch (random() % 3) {
        case 0:
          stream[at - 1] = static_cast<char>(random());
          break;
        case 1:
          stream.erase(at, 1 + random() % 5);
          break;
        default:
          stream.insert(at, 1 + random() % 3, static_cast<char>(random()));
          break;
      }
    }
    for (const protocol::Guard guard : {protocol::Guard::None, protocol::Guard::Sasl, protocol::Guard::Login}) {
      const protocol::SessionOptions options{.item_bytes_max = 3000, .guard = guard};
      const Transcript whole = transcript(stream, cut_nowhere(), options);
      ASSERT_EQ(whole.breach, "") << readable(stream);
      for (const Cut& cut : cuts(random)) {
        ASSERT_EQ(transcript(stream, cut, options), whole) << readable(stream);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::tests
