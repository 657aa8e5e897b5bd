// For any stream of commands, good and bad, written with any spacing, and cut anywhere:
//   what is parsed is what was written, and where it was cut makes no difference.
// The writer below knows the grammar on its own account and says what it expects; it shares no code with the parser.

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/protocol_transcript.h"
#include "support/seed.h"

namespace millrace::tests {
namespace {

constexpr protocol::SessionOptions kOptions{.item_bytes_max = 3000};

class StreamWriter {
 public:
  explicit StreamWriter(std::uint64_t seed) : random_(seed) {}

  std::string stream;
  std::vector<std::string> events;

  void write_command() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return write_store();
      case 4:
      case 5:
      case 6:
        return write_get();
      case 7:
        return write_long_get();
      case 8:
        return write_arith_or_touch();
      case 9:
        return write_delete();
      case 10:
        return write_admin();
      default:
        return write_bad();
    }
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  template <class Container>
  const auto& any_of(const Container& choices) {
    return choices[below(std::size(choices))];
  }

  std::string space() { return std::string(chance(90) ? 1 : 1 + below(5), ' '); }
  std::string line_end() { return (chance(10) ? space() : "") + (chance(80) ? "\r\n" : "\n"); }

  std::string key() {
    constexpr std::size_t kSizes[] = {1, 2, 5, 16, 31, 32, 33, 100, 249, 250};
    // Nothing that ends a word or a line. A CR may stand anywhere but before an LF.
    constexpr std::string_view kBytes = "abcdefghijklmnopqrstuvwxyz0123456789:_-\t\x01\x7f\x80\xff";
    std::string text;
    const std::size_t size = any_of(kSizes);
    while (text.size() < size) {
      text += any_of(kBytes);
    }
    return text;
  }

  std::string value() {
    constexpr std::size_t kSizes[] = {0, 1, 2, 3, 10, 64, 500, 2048, 3000};
    std::string text(any_of(kSizes), '\0');
    for (char& c : text) {
      c = chance(10) ? any_of(std::string_view("\r\n \0", 4)) : static_cast<char>(random_());
    }
    return text;
  }

  std::uint64_t number() { return random_() >> below(64); }

  std::string named(std::string_view name, std::int64_t number) {
    return number == 0 ? "" : ' ' + std::string(name) + '=' + std::to_string(number);
  }

  /// The words behind the arguments: noreply, or some that mean nothing.
  std::string last_words(std::string& expected) {
    if (chance(30)) {
      expected += " noreply";
      return (chance(20) ? space() + "0" : "") + space() + "noreply";
    }
    return chance(20) ? space() + any_of(std::vector<std::string>{"x", "0", "norepl", "noreply x", "NOREPLY"}) : "";
  }

  void write_store() {
    const std::string verb = any_of(std::vector<std::string>{"set", "add", "replace", "append", "prepend", "cas"});
    const std::string k = key();
    const auto flags = static_cast<std::uint32_t>(number());
    const auto exptime = static_cast<std::int32_t>(number());
    std::string v = value();
    std::string expected = verb + ' ' + readable(k) + named("flags", flags) + named("exptime", exptime);
    std::string line = verb + space() + k + space() + std::to_string(flags) + space() + std::to_string(exptime);
    line += space() + std::to_string(v.size());
    if (verb == "cas") {
      const std::uint64_t cas = number();
      line += space() + std::to_string(cas);
      expected += cas == 0 ? "" : " number=" + std::to_string(cas);
    }
    expected += " value=" + readable(v);
    const std::size_t before = expected.size();
    line += last_words(expected) + line_end();
    if (chance(5)) {  // something else where the CRLF should be
      v += any_of(std::vector<std::string>{"ab", "\n\r", "\r\r", "x\n", "\rx"});
      const bool is_silent = expected.size() != before;
      expected = is_silent ? "error " : "error CLIENT_ERROR bad data chunk";
    } else {
      v += "\r\n";
    }
    put(line + v, expected);
  }

  void write_get() {
    const std::string verb = any_of(std::vector<std::string>{"get", "gets", "gat", "gats"});
    std::string line = verb;
    std::string expected = verb;
    if (verb.starts_with("gat")) {
      const auto exptime = static_cast<std::int32_t>(number());
      line += space() + std::to_string(exptime);
      expected += named("exptime", exptime);
    }
    for (std::size_t keys = 1 + below(chance(80) ? 3 : 7); keys > 0; --keys) {
      const std::string k = key();
      line += space() + k;
      expected += ' ' + readable(k);
    }
    put(line + line_end(), expected);
  }

  void write_long_get() {
    const std::string verb = any_of(std::vector<std::string>{"get", "gets"});
    std::string line = verb;
    std::string expected = verb;
    const std::size_t bytes_min = 1500 + below(chance(90) ? 3000 : 30'000);
    while (line.size() < bytes_min) {
      const std::string k = key();
      line += space() + k;
      expected += ' ' + readable(k);
    }
    if (chance(20)) {
      line += space() + std::string(251 + below(400), 'k') + space() + "z";
      expected = "error CLIENT_ERROR bad command line format";
    }
    put(line + line_end(), expected);
  }

  void write_arith_or_touch() {
    const std::string k = key();
    std::string line;
    std::string expected;
    if (chance(50)) {
      const std::string verb = any_of(std::vector<std::string>{"incr", "decr"});
      const std::uint64_t delta = number();
      line = verb + space() + k + space() + std::to_string(delta);
      expected = verb + ' ' + readable(k) + (delta == 0 ? "" : " number=" + std::to_string(delta));
    } else {
      const auto exptime = static_cast<std::int32_t>(number());
      line = "touch" + space() + k + space() + std::to_string(exptime);
      expected = "touch " + readable(k) + named("exptime", exptime);
    }
    line += last_words(expected);
    put(line + line_end(), expected);
  }

  void write_delete() {
    const std::string k = key();
    std::string expected = "delete " + readable(k);
    const std::string line = "delete" + space() + k;
    const std::string words = last_words(expected);
    put(line + words + line_end(), expected);
  }

  struct Fixed {
    std::string_view line;
    std::string_view expected;
  };

  void write_admin() {
    constexpr Fixed kLines[] = {
        {"flush_all", "flush_all"},
        {"flush_all 10 noreply", "flush_all exptime=10 argument noreply"},
        {"version", "version"},
        {"verbosity 2", "verbosity number=2"},
        {"stats", "stats"},
        {"stats items", "stats items"},
        {"quit", "quit"},
        {"cache_memlimit 100", "cache_memlimit number=100"},
        {"shutdown graceful", "shutdown graceful argument"},
        {"mn  ", "mn"},
        {"mg a v  k Oid t", "meta get a given=v returns=kOt opaque=Oid"},
        {"md Zm9v b q C7", "meta delete foo given=Cqb compare=7"},
        {"ma n D5 MD N30 J7 t v", "meta decr n given=Nv vivify=30 initial=7 delta=5 returns=Nt"},
        {"me a", "meta me a"}};
    write_fixed(any_of(kLines));
  }

  void write_bad() {
    constexpr std::string_view kFormat = "error CLIENT_ERROR bad command line format";
    constexpr Fixed kLines[] = {{"", kFormat},
                                {"set a 0 0", kFormat},
                                {"set a 0 0 -1", kFormat},
                                {"get", kFormat},
                                {"incr a", kFormat},
                                {"incr a x", "error CLIENT_ERROR invalid numeric delta argument"},
                                {"touch a x", "error CLIENT_ERROR invalid exptime argument"},
                                {"gat x a", "error CLIENT_ERROR invalid exptime argument"},
                                {"bogus", "error ERROR"},
                                {"bogus noreply", "error "},
                                {" get a", "error ERROR"},
                                {"mg a y", "error CLIENT_ERROR invalid flag"},
                                {"ms a", kFormat},
                                {"mx a", "error ERROR"}};
    if (chance(30)) {
      const std::string block = value();
      put("set a " + std::string(chance(50) ? "x 0 " : "0 x ") + std::to_string(block.size()) + "\r\n" + block + "\r\n",
          std::string(kFormat));
    } else if (chance(20)) {
      const std::string block(3001 + below(3000), 'v');
      put("set a 0 0 " + std::to_string(block.size()) + "\r\n" + block + "\r\n",
          "too large set a value=" + std::to_string(block.size()) + " bytes");
    } else {
      const Fixed& fixed = any_of(kLines);
      put(std::string(fixed.line) + "\r\n", std::string(fixed.expected));
    }
  }

  void write_fixed(const Fixed& fixed) { put(std::string(fixed.line) + line_end(), std::string(fixed.expected)); }

  void put(const std::string& bytes, const std::string& expected) {
    stream += bytes;
    events.push_back(expected);
  }

  std::mt19937_64 random_;
};

std::vector<Cut> cuts(std::mt19937_64& random) {
  std::vector<Cut> all{cut_nowhere(), cut_every(1), cut_every(2), cut_every(7), cut_every(1460), cut_every(2048)};
  for (const std::size_t max : {4U, 40U, 400U, 4000U}) {
    all.push_back([&random, max](std::size_t) { return 1 + random() % max; });
  }
  return all;
}

TEST(SplitProperty, WhatIsParsedIsWhatWasWritten) {
  std::mt19937_64 seeds(test_seed());
  const std::uint64_t streams = number_from_environment("MILLRACE_PARSED_STREAMS", 600);
  for (std::uint64_t i = 0; i < streams; ++i) {
    StreamWriter writer(seeds());
    for (std::size_t commands = 1 + writer.below(20); commands > 0; --commands) {
      writer.write_command();
    }
    for (const Cut& cut : cuts(seeds)) {
      const Transcript found = transcript(writer.stream, cut, kOptions);
      ASSERT_EQ(found.breach, "") << "stream " << i;
      ASSERT_EQ(found.events, writer.events) << "stream " << i << ": " << readable(writer.stream);
      ASSERT_TRUE(found.is_idle) << "stream " << i;
    }
  }
}

/// Streams with bytes changed, taken out and put in: nobody knows what they mean, but the cuts may not change it.
TEST(SplitProperty, DamageMeansTheSameWhereverItIsCut) {
  std::mt19937_64 random(test_seed() + 1);
  const std::uint64_t streams = number_from_environment("MILLRACE_PARSED_STREAMS", 600) * 2;
  for (std::uint64_t i = 0; i < streams; ++i) {
    StreamWriter writer(random());
    for (std::size_t commands = 1 + writer.below(8); commands > 0; --commands) {
      writer.write_command();
    }
    std::string stream = writer.stream;
    constexpr std::string_view kBytes(
        "\r\n \0"
        "09-ags",
        10);
    for (std::size_t damages = 1 + random() % 8; damages > 0 && !stream.empty(); --damages) {
      const std::size_t at = random() % stream.size();
      switch (random() % 4) {
        case 0:
          stream[at] = static_cast<char>(random());
          break;
        case 1:
          stream.erase(at, 1 + random() % 5);
          break;
        case 2:
          stream.insert(at, 1 + random() % 3, kBytes[random() % kBytes.size()]);
          break;
        default:
          stream[at] = kBytes[random() % kBytes.size()];
          break;
      }
    }
    const Transcript whole = transcript(stream, cut_nowhere(), kOptions);
    ASSERT_EQ(whole.breach, "") << readable(stream);
    for (const Cut& cut : cuts(random)) {
      ASSERT_EQ(transcript(stream, cut, kOptions), whole) << readable(stream);
    }
  }
}

}  // namespace
}  // namespace millrace::tests
