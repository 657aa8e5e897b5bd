// Meta lines: which flags, which errors in which order, keys in base64, and the words of a reply.

#include <string>
#include <vector>

#include "expect.h"
#include "protocol/meta/args.h"
#include "protocol/meta/base64.h"
#include "protocol/meta/write.h"

namespace millrace::tests {
namespace {

std::string error(const std::string& text) { return "error CLIENT_ERROR " + text; }

std::string flags(std::size_t count) {
  constexpr std::string_view kLetters = "bcfhklqstuvxNTRCEIFMJDOPL";
  std::string line;
  for (std::size_t i = 0; i < count; ++i) {
    line += std::string(" ") + kLetters[i] + (kLetters[i] >= 'A' && kLetters[i] <= 'Z' ? "1" : "");
  }
  return line;
}

TEST(ParseMeta, EveryFlagHasItsPlace) {
  expect_found("mg a b v u q k s t c f l h O12 N1 T2 R3 C4 E5\r\n", {error("error decoding key")});
  expect_found("mg a v u q k s t c f l h O12 N1 T2 R3 C4 E5\r\n",
               {"meta gat a exptime=2 given=TNRCEquv vivify=1 recache=3 compare=4 new_cas=5 returns=kstcflhONTR "
                "opaque=O12"});
  expect_found(
      "ms a 1 F7 T8 C9 E10 I q k s c O1 MS\r\nx\r\n",
      {"meta cas a flags=7 exptime=8 number=9 value=x given=TCEIq compare=9 new_cas=10 returns=kscO opaque=O1"});
  expect_found("md a x I T-1 F9 C1 E2 q k O\r\n",
               {"meta delete a flags=9 exptime=-1 given=TCEIqx compare=1 new_cas=2 returns=kO opaque=O"});
  expect_found("ma a N1 J2 D3 T4 MI C5 E6 v q t c k O1\r\n",
               {"meta incr a exptime=4 given=TNCEqv vivify=1 compare=5 new_cas=6 initial=2 delta=3 returns=NTtckO "
                "opaque=O1"});
}

TEST(ParseMeta, ProxyFlagsAreTakenAndForgotten) {
  expect_found("mg a P/some/path Lyes s\r\n", {"meta get a returns=s"});
  expect_found("mg a P L v\r\n", {"meta get a given=v"});
}

TEST(ParseMeta, TheLastBadTokenIsTold) {
  expect_found("mg a Tx\r\n", {error("bad token in command line format")});
  expect_found("mg a T\r\n", {error("bad token in command line format")});
  expect_found("mg a T2147483648\r\n", {error("bad token in command line format")});
  expect_found("mg a C-1\r\n", {error("bad token in command line format")});
  expect_found("mg a E18446744073709551616\r\n", {error("bad token in command line format")});
  expect_found("ms a 1 Fx\r\nx\r\n", {kBad});
  expect_found("ms a 1 F4294967296\r\nx\r\n", {kBad});
  expect_found("ms a 1 Tx Fx\r\nx\r\n", {error("bad token in command line format")});
  expect_found("ms a 1 Fx Tx\r\nx\r\n", {error("bad token in command line format")});
  expect_found("ms a 1 b Fx\r\nx\r\n", {error("error decoding key")});
  expect_found("mg a Jx\r\n", {error("invalid numeric initial value")});
  expect_found("mg a Jx Dx\r\n", {error("invalid numeric delta value")});
  expect_found("mg a Dx Jx\r\n", {error("invalid numeric initial value")});
  expect_found("mg a Tx y\r\n", {error("invalid flag")});
  expect_found("mg a Tx v v\r\n", {error("duplicate flag")});
  expect_found("mg a 1\r\n", {error("invalid flag")});
  expect_found("mg a [\r\n", {error("invalid flag")});
  expect_found("mg a v {\r\nmn\r\n", {kBad, "mn"});
  expect_found("mg a v \xc3\xa4\r\nmn\r\n", {kBad, "mn"});
}

TEST(ParseMeta, WhatIsWrongWithAnMaIsOneError) {
  for (const std::string_view line : {"ma n v v", "ma n y", "ma n Dx", "ma n Tx", "ma n b"}) {
    expect_found(std::string(line) + "\r\n", {error("invalid or duplicate flag")});
  }
  expect_found("ma " + std::string(251, 'k') + "\r\n", {error("invalid or duplicate flag")});
  expect_found("ma n !\r\nma n v v !\r\n", {kBad, kBad});  // that is no meta line
  expect_found("ma n Mx\r\n", {error("invalid mode for ma M token")});
  expect_found("ma n M\r\n", {error("invalid mode for ma M token")});
  expect_found("ma n MI\r\nma n M+\r\nma n MD\r\nma n M-\r\nma n MInteger\r\n",
               {"meta incr n", "meta incr n", "meta decr n", "meta decr n", "meta incr n"});
}

TEST(ParseMeta, ABadMsPassesOverItsBlock) {
  for (const std::string_view line : {"ms a 4 y", "ms a 4 k k", "ms a 4 Tx", "ms a 4 M", "ms a 4 Mx", "ms a 4 b"}) {
    const Transcript found = transcript(std::string(line) + "\r\nquit\r\nmn\r\n");
    ASSERT_EQ(found.events.size(), 2U) << line;
    EXPECT_TRUE(found.events[0].starts_with("error CLIENT_ERROR ")) << line;
    EXPECT_EQ(found.events[1], "mn") << line;
  }
  expect_found("ms " + std::string(251, 'k') + " 4\r\nquit\r\nmn\r\n", {kBad, "mn"});
  expect_found("ms a 4 O" + std::string(32, 'x') + "\r\nquit\r\nmn\r\n", {error("opaque token too long"), "mn"});
  // Of these lines memcached does not even believe the length.
  expect_found("ms a 4 {\r\nmn\r\nquit\r\n", {kBad, "mn", "quit"});
  expect_found("ms a S4\r\nmn\r\n", {kBad, "mn"});
  expect_found("ms a -4\r\nmn\r\n", {kBad, "mn"});
  expect_found("ms a\r\nmn\r\n", {kBad, "mn"});
  expect_found("ms a 3\r\nabcd\r\n", {kBadBlock, kBad});
}

TEST(ParseMeta, AValueMayComeInPieces) {
  expect_found("ms a 200 Oid T5 k\r\n" + std::string(200, 'v') + "\r\nmn\r\n",
               {"too large meta set a exptime=5 value=200 bytes given=T returns=Ok opaque=Oid", "mn"},
               {.item_bytes_max = 100});
  expect_found("ms YQ== 3 b MA N60 q\r\nabc\r\n", {"meta append a exptime=60 value=abc given=Nqb vivify=60"});
}

TEST(ParseMeta, SoManyFlagsAndNoMore) {
  // b is among them, so a key that can be decoded.
  const auto line = [](const std::string& command, std::size_t count) { return command + flags(count) + "\r\n"; };
  EXPECT_TRUE(transcript(line("mg YWFh", 18)).events[0].starts_with("meta gat aaa "));
  expect_found(line("mg YWFh", 19), {error("options flags are too long")});
  expect_found(line("mg YWFh", 23), {error("options flags are too long")});
  EXPECT_EQ(transcript("ms YWFh 1" + flags(17) + "\r\nx\r\n").events[0].substr(0, 11), "meta cas aa");
  expect_found("ms YWFh 1" + flags(18) + "\r\nx\r\nmn\r\n", {error("options flags are too long"), "mn"});
}

TEST(ParseMeta, OpaquesAndKeysOfTheLongestKind) {
  const std::string opaque(31, 'x');
  expect_found("mg a O" + opaque + "\r\n", {"meta get a returns=O opaque=O" + opaque});
  const std::string key(250, 'k');
  expect_found("mg " + key + " k\r\n", {"meta get " + key + " returns=k"});
  expect_found("mg " + key + "k k\r\n", {kBad});
  expect_found("mg " + std::string(248, 'A') + " b\r\n", {"meta get " + readable(std::string(186, '\0')) + " given=b"});
}

TEST(ParseMeta, DebugHeedsItsFirstWordOnly) {
  expect_found("me\r\nme a\r\nme Zm9v b\r\nme Zm9v x b\r\nme Z b\r\nme a !\r\n",
               {kBad, "meta me a", "meta me foo given=b", "meta me Zm9v", kBad, kBad});
}

TEST(ParseMeta, SpacesAndLineEnds) {
  expect_found("mg  a   v  \nmg a\n", {"meta get a given=v", "meta get a"});
  expect_found("mgx a\r\nm\r\nmz a\r\n", {kUnknown, kBad, kUnknown});
}

TEST(MetaExtra, ReadsWhatWasWritten) {
  protocol::meta::Extra extra{.args = {}, .returns = "stcflhOkTNR", .opaque = "O1234"};
  extra.args.given = protocol::meta::given::kValue | protocol::meta::given::kBinaryKey;
  extra.args.vivify_exptime = -5;
  extra.args.delta = ~std::uint64_t{0};
  extra.args.return_count = 11;
  extra.args.opaque_bytes = 5;
  char bytes[protocol::kExtraBytesMax];
  const std::uint8_t count = protocol::meta::write_extra(bytes, extra);
  const protocol::meta::Extra read = protocol::meta::read_extra({bytes, count});
  EXPECT_EQ(read.returns, extra.returns);
  EXPECT_EQ(read.opaque, extra.opaque);
  EXPECT_EQ(read.args.given, extra.args.given);
  EXPECT_EQ(read.args.vivify_exptime, -5);
  EXPECT_EQ(read.args.delta, ~std::uint64_t{0});
}

std::string encode(std::string_view bytes) {
  std::string text(protocol::meta::base64_bytes(bytes.size()), '\0');
  EXPECT_EQ(protocol::meta::encode_base64(text.data(), bytes), text.data() + text.size());
  return text;
}

std::string decode(std::string_view text) {
  std::string bytes(text.size(), '\0');
  bytes.resize(protocol::meta::decode_base64(bytes.data(), text));
  return bytes;
}

TEST(Base64, TheExamplesOfRfc4648) {
  const std::pair<std::string_view, std::string_view> kExamples[] = {{"f", "Zg=="},         {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},       {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : kExamples) {
    EXPECT_EQ(encode(bytes), text);
    EXPECT_EQ(decode(text), bytes);
  }
}

TEST(Base64, EveryByteAndLength) {
  std::string bytes;
  for (int i = 0; i < 187; ++i) {
    bytes += static_cast<char>(i * 89);
    EXPECT_EQ(decode(encode(bytes)), bytes);
  }
}

TEST(Base64, WhatIsNone) {
  for (const std::string_view text : {"", "Z", "Zg", "Zg=", "Z===", "====", "!!!!", "Zm9vZ"}) {
    EXPECT_EQ(decode(text), "") << text;
  }
  EXPECT_EQ(decode("Zm\x01"
                   "9v"),
            "foo")
      << "what is not of the alphabet is passed over";
  EXPECT_EQ(decode("Zg==Zm9v"), "f") << "nothing behind the padding";
}

TEST(WriteMeta, EveryReturnInTheOrderOfTheRequest) {
  char line[protocol::meta::kLineBytesMax];
  const auto written = [&](const char* end) { return std::string(line, static_cast<std::size_t>(end - line)); };
  protocol::meta::Extra extra{.args = {}, .returns = "khlOfctsTNR", .opaque = "Oxy"};
  const protocol::meta::Shown shown{.key = "foo",
                                    .value_bytes = 7,
                                    .ttl_s = 30,
                                    .cas = ~std::uint64_t{0},
                                    .client_flags = ~0U,
                                    .idle_s = 9,
                                    .was_fetched = true};
  EXPECT_EQ(written(protocol::meta::write_returns(line, extra, shown)),
            " kfoo h1 l9 Oxy f4294967295 c18446744073709551615 t30 s7");
  extra.args.given = protocol::meta::given::kBinaryKey;
  EXPECT_EQ(written(protocol::meta::write_reflected(line, extra, "foo")), " kZm9v b Oxy");
  extra.returns = "t";
  EXPECT_EQ(written(protocol::meta::write_returns(line, extra, {})), " t-1");
}

}  // namespace
}  // namespace millrace::tests
