// The binary codec without a session: headers, which of them go, what they mean, and replies byte by byte. The rows of
// refusals are what memcached 1.6.18 was seen to do.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/binary/header.h"
#include "protocol/binary/opcodes.h"
#include "protocol/binary/parse.h"
#include "protocol/binary/write.h"

namespace millrace::protocol::binary {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kOpaque = 0xdeadbeef;

Header asking(std::uint8_t opcode, std::uint16_t key, std::uint8_t extras, std::uint32_t value) {
  return {.opcode = opcode, .key_bytes = key, .extras_bytes = extras, .body_bytes = key + extras + value};
}

template <typename Write>
std::string written(Write&& write) {
  std::string out(1024, '~');
  out.resize(static_cast<std::size_t>(write(out.data()) - out.data()));
  return out;
}

TEST(BinaryHeader, LiesOnTheWireAsThePictureSays) {
  const std::string bytes = written([](char* at) {
    return write_header(at, {.magic = kReplyMagic,
                             .opcode = 0x0d,
                             .key_bytes = 0x0102,
                             .extras_bytes = 4,
                             .status = 0x0081,
                             .body_bytes = 0x03040506,
                             .opaque = kOpaque,
                             .cas = 0x1122334455667788});
  });
  EXPECT_EQ(bytes.size(), kHeaderBytes);
  EXPECT_EQ(bytes.substr(0, 12), "\x81\x0d\x01\x02\x04\x00\x00\x81\x03\x04\x05\x06"sv);
  EXPECT_EQ(bytes.substr(12, 4), std::string_view(reinterpret_cast<const char*>(&kOpaque), 4)) << "as it came";
  EXPECT_EQ(bytes.substr(16), "\x11\x22\x33\x44\x55\x66\x77\x88"sv);
  const Header again = read_header(bytes.data());
  EXPECT_EQ(again.key_bytes, 0x0102);
  EXPECT_EQ(again.status, 0x81);
  EXPECT_EQ(again.body_bytes, 0x03040506U);
  EXPECT_EQ(again.cas, 0x1122334455667788U);
  EXPECT_EQ(again.opaque, kOpaque);
}

TEST(BinaryOpcodes, AreThirtyFive) {
  unsigned known = 0;
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    known += facts_of(static_cast<std::uint8_t>(opcode)).is_known ? 1 : 0;
  }
  EXPECT_EQ(known, 35U);
  EXPECT_FALSE(facts_of(0x1b).is_known) << "verbosity, as in memcached";
}

TEST(BinaryOpcodes, QuietOnesDoWhatTheLoudOnesDo) {
  constexpr std::pair<Opcode, Opcode> kPairs[] = {{Opcode::Get, Opcode::GetQ},
                                                  {Opcode::GetK, Opcode::GetKQ},
                                                  {Opcode::Set, Opcode::SetQ},
                                                  {Opcode::Add, Opcode::AddQ},
                                                  {Opcode::Replace, Opcode::ReplaceQ},
                                                  {Opcode::Delete, Opcode::DeleteQ},
                                                  {Opcode::Append, Opcode::AppendQ},
                                                  {Opcode::Prepend, Opcode::PrependQ},
                                                  {Opcode::Quit, Opcode::QuitQ},
                                                  {Opcode::Increment, Opcode::IncrementQ},
                                                  {Opcode::Decrement, Opcode::DecrementQ},
                                                  {Opcode::Flush, Opcode::FlushQ},
                                                  {Opcode::Gat, Opcode::GatQ},
                                                  {Opcode::GatK, Opcode::GatKQ}};
  for (const auto& [loud, quiet] : kPairs) {
    const OpcodeFacts& a = facts_of(static_cast<std::uint8_t>(loud));
    const OpcodeFacts& b = facts_of(static_cast<std::uint8_t>(quiet));
    EXPECT_FALSE(a.is_quiet);
    EXPECT_TRUE(b.is_quiet);
    EXPECT_EQ(a.command, b.command);
    EXPECT_EQ(a.extras_bytes, b.extras_bytes);
    EXPECT_EQ(a.has_value, b.has_value);
    EXPECT_EQ(returns_key(static_cast<std::uint8_t>(loud)), returns_key(static_cast<std::uint8_t>(quiet)));
  }
}

struct Row {
  const char* what;
  Header header;
  Look look;
  Status status = Status::Ok;
  std::uint32_t swallow_bytes = 0;
};

void expect_rows(const std::vector<Row>& rows, Admission admission) {
  for (const Row& row : rows) {
    const HeaderVerdict verdict = check_header(row.header, admission);
    EXPECT_EQ(verdict.look, row.look) << row.what;
    EXPECT_EQ(verdict.status, row.status) << row.what;
    EXPECT_EQ(verdict.swallow_bytes, row.swallow_bytes) << row.what;
  }
}

TEST(BinaryCheck, RefusesWhatMemcachedRefuses) {
  Header bad_magic = asking(0x0a, 0, 0, 0);
  bad_magic.magic = kReplyMagic;
  const Header key_over_body{.opcode = 0, .key_bytes = 3, .body_bytes = 2};
  const Header extras_over_body{.opcode = 1, .key_bytes = 3, .extras_bytes = 8, .body_bytes = 10};
  expect_rows(
      {
          {"get", asking(0x00, 3, 0, 0), Look::Goes},
          {"get, longest key", asking(0x00, 250, 0, 0), Look::Goes},
          {"reply's magic", bad_magic, Look::Hangup},
          {"key longer than the body", key_over_body, Look::Close, Status::UnknownCommand},
          {"extras past the body", extras_over_body, Look::Close, Status::UnknownCommand},
          {"get, key too long", asking(0x00, 251, 0, 0), Look::Close, Status::Invalid},
          {"unknown, key too long", asking(0xf0, 251, 0, 0), Look::Close, Status::Invalid},
          {"get, no key", asking(0x00, 0, 0, 0), Look::Close, Status::Invalid},
          {"get, extras", asking(0x00, 3, 4, 0), Look::Close, Status::Invalid},
          {"get, value", asking(0x00, 3, 0, 2), Look::Close, Status::Invalid},
          {"set", asking(0x01, 3, 8, 5), Look::Goes},
          {"set, empty value", asking(0x01, 3, 8, 0), Look::Goes},
          {"set, no extras", asking(0x01, 3, 0, 5), Look::Close, Status::Invalid},
          {"set, no key", asking(0x01, 0, 8, 5), Look::Close, Status::Invalid},
          {"append, extras", asking(0x0e, 3, 8, 5), Look::Close, Status::Invalid},
          {"incr", asking(0x05, 3, 20, 0), Look::Goes},
          {"incr, value", asking(0x05, 3, 20, 1), Look::Close, Status::Invalid},
          {"touch, no extras", asking(0x1c, 3, 0, 0), Look::Close, Status::Invalid},
          {"noop, body", asking(0x0a, 0, 0, 1), Look::Close, Status::Invalid},
          {"version, key", asking(0x0b, 1, 0, 0), Look::Close, Status::Invalid},
          {"quit, key", asking(0x07, 1, 0, 0), Look::Close, Status::Invalid},
          {"flush", asking(0x08, 0, 0, 0), Look::Goes},
          {"flush, delay", asking(0x08, 0, 4, 0), Look::Goes},
          {"flush, eight bytes", asking(0x08, 0, 8, 0), Look::Close, Status::Invalid},
          {"stat", asking(0x10, 0, 0, 0), Look::Goes},
          {"stat, words", asking(0x10, 5, 0, 0), Look::Goes},
          {"unknown", asking(0xf0, 0, 0, 30), Look::Refuse, Status::UnknownCommand, 30},
          {"unknown, all of it", asking(0x1b, 3, 4, 5), Look::Refuse, Status::UnknownCommand, 12},
          {"no authentication", asking(0x20, 0, 0, 0), Look::Refuse, Status::UnknownCommand, 0},
          {"no authentication, plain", asking(0x21, 5, 0, 9), Look::Refuse, Status::UnknownCommand, 14},
          {"no authentication, no mechanism", asking(0x21, 0, 0, 9), Look::Close, Status::Invalid},
      },
      Admission::None);
}

TEST(BinaryCheck, LetsOnlyTheHandshakeThrough) {
  expect_rows(
      {
          {"get", asking(0x00, 3, 0, 0), Look::Close, Status::AuthError},
          {"get, bad", asking(0x00, 300, 0, 0), Look::Close, Status::AuthError},
          {"noop", asking(0x0a, 0, 0, 0), Look::Close, Status::AuthError},
          {"quit", asking(0x07, 0, 0, 0), Look::Close, Status::AuthError},
          {"stat", asking(0x10, 0, 0, 0), Look::Close, Status::AuthError},
          {"unknown", asking(0xf0, 0, 0, 0), Look::Close, Status::AuthError},
          {"version", asking(0x0b, 0, 0, 0), Look::Goes},
          {"mechanisms", asking(0x20, 0, 0, 0), Look::Goes},
          {"auth", asking(0x21, 5, 0, 9), Look::Goes},
          {"step", asking(0x22, 5, 0, 9), Look::Goes},
          {"auth, longest", asking(0x21, 32, 0, kSaslBytesMax), Look::Goes},
          {"auth, mechanism too long", asking(0x21, 33, 0, 9), Look::Close, Status::Invalid},
          {"auth, message too long", asking(0x21, 5, 0, kSaslBytesMax + 1), Look::Close, Status::Invalid},
          {"auth, no end of it", asking(0x21, 5, 0, 0xffff0000), Look::Close, Status::Invalid},
      },
      Admission::Wanted);
  expect_rows({{"get", asking(0x00, 3, 0, 0), Look::Goes}, {"again", asking(0x21, 5, 0, 9), Look::Goes}},
              Admission::Given);
}

TEST(BinaryParse, ReadsExtrasAndKey) {
  Header header = asking(0x11, 3, 8, 100);
  header.cas = 7;
  header.opaque = kOpaque;
  Request request;
  Args args;
  parse(header, "\x00\x00\x00\x05\xff\xff\xff\xffkey"sv, request, args);
  EXPECT_EQ(request.command, Command::Set);
  EXPECT_EQ(request.key, "key");
  EXPECT_EQ(request.flags, 5U);
  EXPECT_EQ(request.exptime, 0xffffffff) << "times are not negative";
  EXPECT_EQ(request.value_bytes, 100U);
  EXPECT_EQ(args.cas, 7U);
  EXPECT_EQ(args.opaque, kOpaque);
  EXPECT_EQ(args.opcode, 0x11);
}

TEST(BinaryParse, ReadsNumbers) {
  Request request;
  Args args;
  parse(asking(0x06, 1, 20, 0), "\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\x3cn"sv, request, args);
  EXPECT_EQ(request.command, Command::Decr);
  EXPECT_EQ(request.number, 2U);
  EXPECT_EQ(args.initial, 9U);
  EXPECT_TRUE(args.creates);
  EXPECT_EQ(request.exptime, 60);
  parse(asking(0x05, 1, 20, 0), "\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x09\xff\xff\xff\xffn"sv, request, args);
  EXPECT_FALSE(args.creates);
}

TEST(BinaryParse, ReadsTimesAndDelays) {
  Request request;
  Args args;
  parse(asking(0x24, 1, 4, 0), "\0\0\0\x10k"sv, request, args);
  EXPECT_EQ(request.command, Command::Gat);
  EXPECT_EQ(request.exptime, 16);
  request = {};
  parse(asking(0x08, 0, 4, 0), "\0\0\0\x10"sv, request, args);
  EXPECT_TRUE(request.has_argument);
  EXPECT_EQ(request.exptime, 16);
  request = {};
  parse(asking(0x08, 0, 0, 0), {}, request, args);
  EXPECT_FALSE(request.has_argument);
}

TEST(BinaryWrite, WritesReplies) {
  static constexpr Asked kAsked{.opcode = 0x0d, .opaque = 0};
  EXPECT_EQ(written([](char* at) { return write_done(at, kAsked, 3); }),
            "\x81\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03"sv);
  EXPECT_EQ(written([](char* at) { return write_error(at, kAsked, Status::NotFound); }),
            "\x81\x0d\0\0\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0Not found"sv);
  EXPECT_EQ(written([](char* at) { return write_hit_head(at, kAsked, "ab", 5, 100, 9); }),
            "\x81\x0d\0\x02\x04\0\0\0\0\0\0\x6a\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\x05"
            "ab"sv);
  EXPECT_EQ(written([](char* at) { return write_miss_with_key(at, kAsked, "ab"); }),
            "\x81\x0d\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0"
            "ab"sv);
  EXPECT_EQ(written([](char* at) { return write_number(at, kAsked, 258, 9); }),
            "\x81\x0d\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\x01\x02"sv);
  EXPECT_EQ(text_reply(kAsked, Status::Ok, "1.6.45"),
            "\x81\x0d\0\0\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\0"
            "1.6.45"sv);
}

TEST(BinaryWrite, EveryErrorFitsItsBound) {
  for (const Status status : {Status::NotFound, Status::Exists, Status::TooLarge, Status::Invalid, Status::NotStored,
                              Status::NotNumeric, Status::AuthError, Status::UnknownCommand, Status::OutOfMemory}) {
    EXPECT_FALSE(words_of(status).empty());
    EXPECT_LE(written([&](char* at) { return write_error(at, {}, status); }).size(), kErrorBytesMax);
  }
}

TEST(BinaryWrite, PutsStatisticsInPackets) {
  std::string out;
  append_stat(out, {.opcode = 0x10}, "pid", "12");
  append_stat(out, {.opcode = 0x10}, {}, {});
  EXPECT_EQ(out,
            "\x81\x10\0\x03\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0pid12"
            "\x81\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv);
}

}  // namespace
}  // namespace millrace::protocol::binary
