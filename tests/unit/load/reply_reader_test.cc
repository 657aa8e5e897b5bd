#include "bench/load/reply_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/load/prng.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

/// Writes down what it is told, values joined.
struct Notebook {
  std::string text;
  std::uint32_t value_bytes = 0;
  std::uint32_t value_seen = 0;

  bool on_value(const ValueHeader& value) {
    text += "[" + std::string(value.key) + "," + std::to_string(value.flags) + "," + std::to_string(value.bytes) + ":";
    value_bytes = value.bytes;
    value_seen = 0;
    return true;
  }
  bool on_value_bytes(std::uint32_t offset, std::string_view chunk) {
    EXPECT_EQ(offset, value_seen);
    EXPECT_FALSE(chunk.empty());
    value_seen += static_cast<std::uint32_t>(chunk.size());
    EXPECT_LE(value_seen, value_bytes);
    text += chunk;
    return true;
  }
  bool on_line(ReplyLine kind, std::string_view line) {
    EXPECT_EQ(value_seen, value_bytes);
    text += kind == ReplyLine::End ? "]" : "(" + std::string(line) + ")";
    return true;
  }
};

const std::string kStream =
    "VALUE key:1 5 3\r\nabc\r\nEND\r\n"
    "END\r\n"
    "STORED\r\nNOT_STORED\r\n"
    "VALUE a 4294967295 0\r\n\r\nVALUE bb 0 9\r\nEND\r\nEND\r\r\nEND\r\n"
    "SERVER_ERROR out of memory storing object\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\n"
    "VALUE c 0 1\r\n\n\r\nEND\r\n";
const std::string kMeaning =
    "[key:1,5,3:abc]"
    "]"
    "(STORED)(NOT_STORED)"
    "[a,4294967295,0:[bb,0,9:END\r\nEND\r]"
    "(SERVER_ERROR out of memory storing object)(CLIENT_ERROR bad data chunk)(ERROR)"
    "[c,0,1:\n]";

TEST(ReplyReader, ReadsAllAtOnceAndByteByByte) {
  for (const std::size_t step : {kStream.size(), std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
    ReplyReader reader;
    Notebook notebook;
    for (std::size_t at = 0; at < kStream.size(); at += step) {
      ASSERT_TRUE(reader.read(std::string_view(kStream).substr(at, step), notebook));
    }
    EXPECT_EQ(notebook.text, kMeaning) << step;
    EXPECT_TRUE(reader.is_between_lines());
  }
}

TEST(ReplyReader, ReadsAlikeUnderAnySplit) {
  Prng prng(test_seed());
  for (int round = 0; round < 2000; ++round) {
    ReplyReader reader;
    Notebook notebook;
    std::string_view rest = kStream;
    while (!rest.empty()) {
      const auto cut = static_cast<std::size_t>(prng.below(std::min<std::uint64_t>(rest.size(), 40) + 1));
      const std::string piece(rest.substr(0, cut));  // a copy: no view may outlive the call
      ASSERT_TRUE(reader.read(piece, notebook));
      rest.remove_prefix(cut);
    }
    ASSERT_EQ(notebook.text, kMeaning);
  }
}

TEST(ReplyReader, RefusesGarbageUnderAnySplit) {
  const std::vector<std::string> wrong{
      "\r\n",
      "END\n",
      "end\r\n",
      "STORED \r\n",
      "VALUE\r\n",
      "VALUE a 0\r\n",
      "VALUE a 0 1 2\r\nx\r\nEND\r\n",
      "VALUE a 0 -1\r\n",
      "VALUE a x 1\r\n",
      "VALUE  0 1\r\n",
      "VALUE a 4294967296 1\r\n",
      "VALUE a 0 99999999999\r\n",
      "VALUE a 0 1073741825\r\n",
      "VALUE a 0 1\r\nab\r\n",
      "VALUE a 0 1\r\na\rEND\r\n",
      "VALUE a 0 0\r\nEND\r\n",
      "HTTP/1.1 200 OK\r\n",
      "\xff\xfe\r\n",
      std::string("E\0ND\r\n", 6),
  };
  for (const std::string& text : wrong) {
    for (std::size_t step = 1; step <= text.size(); ++step) {
      ReplyReader reader;
      Notebook notebook;
      bool goes_on = reader.read("END\r\n", notebook);
      ASSERT_TRUE(goes_on);
      for (std::size_t at = 0; goes_on && at < text.size(); at += step) {
        goes_on = reader.read(std::string_view(text).substr(at, step), notebook);
      }
      EXPECT_FALSE(goes_on) << text << " in steps of " << step;
      EXPECT_FALSE(reader.offence().empty());
    }
  }
}

TEST(ReplyReader, DoesNotHoldALineWithoutEnd) {
  ReplyReader reader;
  Notebook notebook;
  const std::string piece(500, 'x');
  int pieces = 0;
  while (reader.read(piece, notebook)) {
    ASSERT_LT(++pieces, 10);
  }
  EXPECT_EQ(notebook.text, "");
}

TEST(ReplyReader, SurvivesRandomBytes) {
  const std::uint64_t seed = test_seed();
  Prng prng(seed);
  const std::string alphabet = "VALUE ENDSTORED 0129\r\n\r\nab:";
  for (int round = 0; round < 3000; ++round) {
    ReplyReader reader;
    Notebook notebook;
    std::string text;
    for (std::uint64_t i = 0, length = prng.below(200); i < length; ++i) {
      text += prng.below(10) == 0 ? static_cast<char>(prng.below(256)) : alphabet[prng.below(alphabet.size())];
    }
    // Whatever it is: whole and in pieces come to the same verdict and the same meaning.
    const bool whole = reader.read(text, notebook);
    ReplyReader other;
    Notebook second;
    bool pieces = true;
    for (std::size_t at = 0; pieces && at < text.size(); ++at) {
      pieces = other.read(std::string_view(text).substr(at, 1), second);
    }
    ASSERT_EQ(whole, pieces) << "seed " << seed << " round " << round;
    ASSERT_EQ(notebook.text, second.text) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace millrace::load
