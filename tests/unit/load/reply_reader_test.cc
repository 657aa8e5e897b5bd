#include "bench/load/protocol/reply_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bench/load/prng.h"
#include "bench/load/protocol/binary_header.h"
#include "tests/support/reply_notebook.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

using tests::read_replies;
using tests::ReplyReading;

std::vector<Expected> asked(const std::vector<Operation>& operations, std::uint32_t keys_per_get = 2) {
  std::vector<Expected> all;
  for (const Operation operation : operations) {
    all.push_back({operation, operation == Operation::MultiGet ? keys_per_get : 1});
  }
  return all;
}

std::string binary(binary::Opcode opcode, std::uint16_t status, const std::string& extras = {},
                   const std::string& key = {}, const std::string& value = {}, std::uint64_t unique = 0) {
  std::string head(binary::kHeaderBytes, '\0');
  head[0] = static_cast<char>(binary::kReply);
  head[1] = static_cast<char>(opcode);
  binary::put_be(static_cast<std::uint16_t>(key.size()), &head[2]);
  head[4] = static_cast<char>(extras.size());
  binary::put_be(status, &head[6]);
  binary::put_be(static_cast<std::uint32_t>(extras.size() + key.size() + value.size()), &head[8]);
  binary::put_be(unique, &head[16]);
  return head + extras + key + value;
}

const std::string kFlags5("\0\0\0\5", 4);

struct Dialogue {
  Protocol protocol;
  std::vector<Operation> operations;
  std::string replies;
  std::string meaning;
};

std::vector<Dialogue> dialogues() {
  using enum Operation;
  using binary::Opcode;
  return {
      {Protocol::Text,
       {Get, Get, Set, Add,    MultiGet, Set,    Set,   Set,   Get,  Gets, Gets,
        Cas, Cas, Cas, Append, Delete,   Delete, Touch, Touch, Incr, Incr, Incr},
       "VALUE key:1 5 3\r\nabc\r\nEND\r\n"
       "END\r\n"
       "STORED\r\nNOT_STORED\r\n"
       "VALUE a 4294967295 0\r\n\r\nVALUE bb 0 9\r\nEND\r\nEND\r\r\nEND\r\n"
       "SERVER_ERROR out of memory storing object\r\nCLIENT_ERROR bad data chunk\r\nERROR\r\n"
       "VALUE c 0 1\r\n\n\r\nEND\r\n"
       "VALUE c 0 1 18446744073709551615\r\nx\r\nEND\r\nEND\r\n"
       "STORED\r\nEXISTS\r\nNOT_FOUND\r\nNOT_STORED\r\nDELETED\r\nNOT_FOUND\r\nTOUCHED\r\nNOT_FOUND\r\n"
       "18446744073709551615\r\nNOT_FOUND\r\nCLIENT_ERROR cannot increment\r\n",
       "[key:1,5,3,0:abc]](done)(refused)[a,4294967295,0,0:[bb,0,9,0:END\r\nEND\r]"
       "!SERVER_ERROR out of memory storing object!(error)!CLIENT_ERROR bad data chunk!(error)!ERROR!(error)"
       "[c,0,1,0:\n][c,0,1,18446744073709551615:x]]"
       "(done)(refused)(missed)(refused)(done)(missed)(done)(missed)(done)(missed)!CLIENT_ERROR cannot "
       "increment!(error)"},
      {Protocol::Meta,
       {Get, Get, MultiGet, MultiGet, Gets, Set, Add, Cas, Cas, Append, Delete, Delete, Touch, Touch, Incr, Incr, Get,
        MultiGet},
       "VA 3 f5\r\nabc\r\n"
       "EN\r\n"
       "VA 0 f0 kaa\r\n\r\nVA 4 f7 kb W s4\r\nMN\r\n\r\nMN\r\n"
       "MN\r\n"
       "VA 1 c77 f5\r\nx\r\n"
       "HD\r\nNS\r\nHD c9\r\nEX\r\nNS\r\nHD\r\nNF\r\nHD\r\nEN\r\n"
       "VA 2\r\n10\r\nNF\r\nSERVER_ERROR busy\r\n"
       "CLIENT_ERROR bad key\r\nVA 1 f0 kb\r\nx\r\nMN\r\n",
       "[,5,3,0:abc]][aa,0,0,0:[b,7,4,0:MN\r\n]][,5,1,77:x](done)(refused)(done)(refused)(refused)(done)(missed)(done)"
       "(missed)(done)(missed)!SERVER_ERROR busy!(error)!CLIENT_ERROR bad key![b,0,1,0:x]"},
      {Protocol::Binary,
       {Get, Get, MultiGet, Gets, Set, Add, Cas, Cas, Append, Delete, Delete, Touch, Touch, Incr, Set, Get, MultiGet},
       binary(Opcode::Get, 0, kFlags5, "", "abc") + binary(Opcode::Get, 1, "", "", "Not found") +
           binary(Opcode::GetKeyQuietly, 0, kFlags5, "aa", "") +
           binary(Opcode::GetKeyQuietly, 0, kFlags5, "b", "x\r\n") + binary(Opcode::Noop, 0) +
           binary(Opcode::Get, 0, kFlags5, "", "x", 77) + binary(Opcode::Set, 0) +
           binary(Opcode::Add, 2, "", "", "Data exists for key.") + binary(Opcode::Set, 0) + binary(Opcode::Set, 2) +
           binary(Opcode::Append, 5) + binary(Opcode::Delete, 0) + binary(Opcode::Delete, 1) +
           binary(Opcode::Touch, 0, kFlags5) + binary(Opcode::Touch, 1) +
           binary(Opcode::Increment, 0, "", "", std::string(8, '\1')) +
           binary(Opcode::Set, 0x82, "", "", "Out of memory") + binary(Opcode::Get, 0x81) +
           binary(Opcode::GetKeyQuietly, 0x86) + binary(Opcode::GetKeyQuietly, 1) + binary(Opcode::Noop, 0),
       "[,5,3,0:abc]][aa,5,0,0:[b,5,3,0:x\r\n][,5,1,77:x](done)(refused)(done)(refused)(refused)(done)(missed)(done)"
       "(missed)(done)!status 0x82: Out of memory!(error)!status 0x81: !(error)!status 0x86: !]"},
      {Protocol::Resp,
       {Get, Get, MultiGet, Set, Add, Add, Delete, Delete, Touch, Touch, Incr, Incr, Set, MultiGet, Get},
       "$3\r\nabc\r\n$-1\r\n*2\r\n$-1\r\n$4\r\n+OK\r\r\n+OK\r\n+OK\r\n$-1\r\n:1\r\n:0\r\n:1\r\n:0\r\n:-"
       "9223372036854775808\r\n"
       "-ERR value is not an integer or out of range\r\n-OOM command not allowed\r\n-LOADING\r\n$0\r\n\r\n",
       "[,,3,0:abc]-]-[,,4,0:+OK\r](done)(done)(refused)(done)(missed)(done)(missed)(done)"
       "!ERR value is not an integer or out of range!(error)!OOM command not allowed!(error)!LOADING!(error)[,,0,0:]"},
  };
}

TEST(ReplyReader, ReadsAllAtOnceAndByteByByte) {
  for (const Dialogue& dialogue : dialogues()) {
    for (const std::size_t step :
         {dialogue.replies.size(), std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
      const ReplyReading reading =
          read_replies(dialogue.protocol, asked(dialogue.operations), dialogue.replies, [&] { return step; });
      EXPECT_TRUE(reading.is_sound) << protocol_name(dialogue.protocol);
      EXPECT_EQ(reading.text, dialogue.meaning) << protocol_name(dialogue.protocol) << " in steps of " << step;
      EXPECT_EQ(reading.answered, dialogue.operations.size());
      EXPECT_EQ(reading.breach, "");
    }
  }
}

TEST(ReplyReader, ReadsAlikeUnderAnySplit) {
  Prng prng(test_seed());
  for (const Dialogue& dialogue : dialogues()) {
    for (int round = 0; round < 2000; ++round) {
      const ReplyReading reading = read_replies(dialogue.protocol, asked(dialogue.operations), dialogue.replies,
                                                [&] { return static_cast<std::size_t>(prng.below(40) + 1); });
      ASSERT_EQ(reading.text, dialogue.meaning) << protocol_name(dialogue.protocol);
      ASSERT_EQ(reading.breach, "");
    }
  }
}

struct Wrong {
  Protocol protocol;
  Operation operation;
  std::string reply;
};

std::vector<Wrong> wrongs() {
  using enum Operation;
  using binary::Opcode;
  std::vector<Wrong> all;
  for (const char* const text : {"\r\n",
                                 "END\n",
                                 "end\r\n",
                                 "STORED\r\n",
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
                                 "1\r\n",
                                 "VA 1 f0\r\nx\r\n"}) {
    all.push_back({Protocol::Text, Get, text});
  }
  all.push_back({Protocol::Text, Get, std::string("E\0ND\r\n", 6)});
  for (const auto& [operation, text] :
       std::vector<std::pair<Operation, std::string>>{{Gets, "VALUE a 0 1\r\nx\r\n"},
                                                      {Gets, "VALUE a 0 1 x\r\n"},
                                                      {Set, "END\r\n"},
                                                      {Set, "VALUE a 0 1\r\nx\r\n"},
                                                      {Set, "EXISTS\r\n"},
                                                      {Set, "NOT_FOUND\r\n"},
                                                      {Cas, "DELETED\r\n"},
                                                      {Delete, "STORED\r\n"},
                                                      {Delete, "TOUCHED\r\n"},
                                                      {Touch, "DELETED\r\n"},
                                                      {Incr, "STORED\r\n"},
                                                      {Incr, "-1\r\n"},
                                                      {Incr, "1x\r\n"},
                                                      {Incr, "123456789012345678901\r\n"}}) {
    all.push_back({Protocol::Text, operation, text});
  }
  for (const auto& [operation, text] : std::vector<std::pair<Operation, std::string>>{{Get, "\r\n"},
                                                                                      {Get, "VA\r\n"},
                                                                                      {Get, "VA x f0\r\n"},
                                                                                      {Get, "VA 1\r\nx\r\n"},
                                                                                      {Get, "VA 1 fx\r\nx\r\n"},
                                                                                      {Get, "VA 1073741825 f0\r\n"},
                                                                                      {Get, "VA 1 f0\r\nxy\r\n"},
                                                                                      {Get, "HD\r\n"},
                                                                                      {Get, "MN\r\n"},
                                                                                      {Get, "END\r\n"},
                                                                                      {Gets, "VA 1 f0\r\nx\r\n"},
                                                                                      {MultiGet, "EN\r\n"},
                                                                                      {MultiGet, "VA 1 f0\r\nx\r\n"},
                                                                                      {Set, "VA 1 f0\r\nx\r\n"},
                                                                                      {Set, "MN\r\n"},
                                                                                      {Set, "STORED\r\n"},
                                                                                      {Touch, "NF\r\n"},
                                                                                      {Incr, "HD\r\n"},
                                                                                      {Incr, "VA 0\r\n\r\n"},
                                                                                      {Incr, "VA 21\r\n"},
                                                                                      {Incr, "VA 2\r\n1x\r\n"}}) {
    all.push_back({Protocol::Meta, operation, text});
  }
  std::string no_body = binary(Opcode::Get, 0, kFlags5, "", "x");
  binary::put_be(std::uint32_t{3}, &no_body[8]);  // less than its extras
  std::string endless = binary(Opcode::Get, 0, kFlags5, "", "x");
  binary::put_be(std::uint32_t{0xffffffff}, &endless[8]);
  std::string request = binary(Opcode::Get, 0);
  request[0] = static_cast<char>(binary::kRequest);
  for (const auto& [operation, text] : std::vector<std::pair<Operation, std::string>>{
           {Get, "ERROR\r\n"},
           {Get,
            "\x81"
            "ERROR\r\n and so on and on and"},
           {Get, request},
           {Get, no_body},
           {Get, endless},
           {Get, binary(Opcode::Set, 0)},
           {Get, binary(Opcode::Noop, 0)},
           {Set, binary(Opcode::Get, 0, kFlags5, "", "x")},
           {Get, binary(Opcode::Get, 0, "", "", "x")},
           {Get, binary(Opcode::Get, 0, std::string(8, 'e'))},
           {MultiGet, binary(Opcode::GetKeyQuietly, 0, kFlags5, "", "x")},
           {MultiGet, binary(Opcode::Get, 1)},
           {Get, binary(Opcode::Get, 0, kFlags5, std::string(251, 'k'), "x")},
           {Get, binary(Opcode::Get, 0, std::string(21, 'e'), "", "x")},
           {Set, binary(Opcode::Set, 0, "", "", "nine byte")},
           {Set, binary(Opcode::Set, 4, "", "", std::string(2049, 'e'))}}) {
    all.push_back({Protocol::Binary, operation, text});
  }
  for (const auto& [operation, text] :
       std::vector<std::pair<Operation, std::string>>{{Get, "\r\n"},
                                                      {Get, "$x\r\n"},
                                                      {Get, "$-2\r\n"},
                                                      {Get, "$1073741825\r\n"},
                                                      {Get, "$1\r\nxy\r\n"},
                                                      {Get, "+OK\r\n"},
                                                      {Get, ":1\r\n"},
                                                      {Get, "*1\r\n"},
                                                      {Get, "_\r\n"},
                                                      {Get, "VALUE a 0 1\r\n"},
                                                      {Set, "$1\r\nx\r\n"},
                                                      {Set, "$-1\r\n"},
                                                      {Set, "+QUEUED\r\n"},
                                                      {Set, ":1\r\n"},
                                                      {Delete, "+OK\r\n"},
                                                      {Delete, ":2\r\n"},
                                                      {Delete, ":\r\n"},
                                                      {Touch, ":-1\r\n"},
                                                      {Incr, "+OK\r\n"},
                                                      {Incr, ":99999999999999999999\r\n"},
                                                      {MultiGet, "*1\r\n"},
                                                      {MultiGet, "*3\r\n"},
                                                      {MultiGet, "*-1\r\n"},
                                                      {MultiGet, "$1\r\nx\r\n"},
                                                      {MultiGet, "$-1\r\n"},
                                                      {MultiGet, "*2\r\n*2\r\n"},
                                                      {MultiGet, "*2\r\n-ERR\r\n"},
                                                      {MultiGet, "*2\r\n:1\r\n"}}) {
    all.push_back({Protocol::Resp, operation, text});
  }
  return all;
}

TEST(ReplyReader, RefusesGarbageUnderAnySplit) {
  for (const Wrong& wrong : wrongs()) {
    for (std::size_t step = 1; step <= wrong.reply.size(); ++step) {
      const ReplyReading reading =
          read_replies(wrong.protocol, asked({wrong.operation}), wrong.reply, [&] { return step; });
      ASSERT_FALSE(reading.is_sound) << protocol_name(wrong.protocol) << " " << operation_name(wrong.operation) << ": "
                                     << wrong.reply << " in steps of " << step;
      ASSERT_EQ(reading.breach, "");
    }
  }
}

TEST(ReplyReader, RefusesWhatNobodyAskedFor) {
  for (const Dialogue& dialogue : dialogues()) {
    const ReplyReading reading = read_replies(dialogue.protocol, {}, dialogue.replies, [] { return 1000; });
    EXPECT_FALSE(reading.is_sound);
    EXPECT_EQ(reading.text, "");
    // One reply more than was asked for.
    const std::vector<Operation> fewer(dialogue.operations.begin(), dialogue.operations.end() - 1);
    EXPECT_FALSE(read_replies(dialogue.protocol, asked(fewer), dialogue.replies, [] { return 1000; }).is_sound);
  }
}

TEST(ReplyReader, DoesNotHoldALineWithoutEnd) {
  for (const Protocol protocol : {Protocol::Text, Protocol::Meta, Protocol::Resp}) {
    ReplyReader reader(protocol);
    tests::ReplyNotebook notebook(asked({Operation::Get}));
    const std::string piece(500, 'x');
    int pieces = 0;
    while (reader.read(piece, notebook)) {
      ASSERT_LT(++pieces, 10);
    }
    EXPECT_EQ(notebook.text, "");
  }
}

TEST(ReplyReader, SurvivesRandomBytes) {
  const std::uint64_t seed = test_seed();
  Prng prng(seed);
  for (const Dialogue& dialogue : dialogues()) {
    for (int round = 0; round < 3000; ++round) {
      // Good replies with some bytes that are not, so that the inner states are reached.
      std::string stream = dialogue.replies.substr(prng.below(4) == 0 ? prng.below(dialogue.replies.size()) : 0);
      for (std::uint64_t i = 0, flips = prng.below(4); i < flips; ++i) {
        const std::size_t at = prng.below(stream.size());
        stream[at] =
            prng.below(2) == 0 ? static_cast<char>(prng.below(256)) : dialogue.replies[prng.below(stream.size())];
      }
      // Whatever it is: whole and in pieces come to the same verdict and the same meaning.
      const auto all = asked(dialogue.operations);
      const ReplyReading whole = read_replies(dialogue.protocol, all, stream, [&] { return stream.size(); });
      const ReplyReading pieces = read_replies(dialogue.protocol, all, stream, [] { return 1; });
      ASSERT_EQ(whole.text, pieces.text) << "seed " << seed << " round " << round;
      ASSERT_EQ(whole.is_sound, pieces.is_sound) << "seed " << seed << " round " << round;
      ASSERT_EQ(whole.breach + pieces.breach, "") << "seed " << seed << " round " << round;
    }
  }
}

}  // namespace
}  // namespace millrace::load
