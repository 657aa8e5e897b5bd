#include "bench/load/workload.h"

#include <gtest/gtest.h>

#include <set>
#include <span>
#include <string>
#include <vector>

#include "bench/load/protocol/request_writer.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

std::string text_of(const KeyText& keys, std::uint64_t number) {
  std::string text(keys.size(number), '?');
  EXPECT_EQ(keys.write(number, text.data()), text.data() + text.size());
  return text;
}

TEST(KeyText, IsFixedWidthAndSaysTheNumber) {
  const auto keys = KeyText::make(30, 1'000'000);
  ASSERT_TRUE(keys);
  EXPECT_EQ(text_of(*keys, 0), "key:00000000000000000000000000");
  EXPECT_EQ(text_of(*keys, 123'456), "key:00000000000000000000123456");
  EXPECT_EQ(text_of(*keys, 999'999), "key:00000000000000000000999999");
}

TEST(KeyText, NumberAndTextAreInverse) {
  Prng prng(test_seed());
  for (const std::uint64_t count : {1ULL, 2ULL, 10ULL, 11ULL, 1000ULL, 99'999ULL, 1ULL << 40}) {
    for (const std::uint32_t bytes : {13U, 14U, 17U, 30U, 250U}) {
      const auto keys = KeyText::make(bytes, count);
      ASSERT_TRUE(keys);
      for (int i = 0; i < 200; ++i) {
        const std::uint64_t number = i == 0 ? 0 : (i == 1 ? count - 1 : prng.below(count));
        EXPECT_EQ(keys->number(text_of(*keys, number)), number);
      }
    }
  }
}

TEST(KeyText, DropsThePrefixWhenThereIsNoRoom) {
  const auto keys = KeyText::make(6, 1'000'000);
  ASSERT_TRUE(keys);
  EXPECT_EQ(text_of(*keys, 42), "000042");
  EXPECT_EQ(keys->number("000042"), 42);
}

TEST(KeyText, RefusesWhatCannotBe) {
  EXPECT_FALSE(KeyText::make(5, 1'000'000));
  EXPECT_FALSE(KeyText::make(251, 10));
  EXPECT_FALSE(KeyText::make(30, 0));
}

TEST(KeyText, KnowsItsOwn) {
  const auto keys = KeyText::make(10, 1000);
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->number("key:000999"));
  for (const char* const other :
       {"", "key:00099", "key:0009999", "kex:000999", "key:00099a", "key:001000", "key: 00999"}) {
    EXPECT_FALSE(keys->number(other)) << other;
  }
}

TEST(ValueText, IsAFunctionOfKeyAndSize) {
  const ValueText values(SizeDistribution(SizeDistribution::Of::Values, 1, 300), 1000);
  std::string value(1000, 0);
  std::set<std::string> different;
  for (std::uint64_t key = 0; key < 200; ++key) {
    const std::uint32_t size = values.bytes_of(key);
    ASSERT_GE(size, 1U);
    ASSERT_LE(size, 300U);
    values.write(key, size, value.data());
    const std::string_view text(value.data(), size);
    different.insert(std::string(text));
    EXPECT_TRUE(values.matches(key, size, 0, text));
    for (std::uint32_t cut = 0; cut < size; ++cut) {
      EXPECT_TRUE(values.matches(key, size, 0, text.substr(0, cut)));
      EXPECT_TRUE(values.matches(key, size, cut, text.substr(cut)));
    }
    if (size >= 8) {
      EXPECT_FALSE(values.matches(key + 1, size, 0, text));
    }
    EXPECT_FALSE(values.matches(key, size, 1, text));
  }
  EXPECT_GT(different.size(), 190U);
}

TEST(ValueText, SeesEveryWrongByte) {
  const ValueText values(SizeDistribution(SizeDistribution::Of::Values, 100, 100));
  std::string value(100, 0);
  values.write(7, 100, value.data());
  for (char& c : value) {
    c ^= 1;
    EXPECT_FALSE(values.matches(7, 100, 0, value));
    c ^= 1;
  }
  EXPECT_FALSE(values.matches(7, 101, 0, value)) << "larger than the largest";
}

TEST(KeyText, OfAnySizesSaysTheNumber) {
  const std::uint64_t seed = test_seed();
  Prng prng(seed);
  for (const char* const sizes : {"1-250", "14-20", "13=1,40=2,250=1", "etc", "8-13"}) {
    const auto parsed = SizeDistribution::parse(SizeDistribution::Of::Keys, sizes);
    ASSERT_TRUE(parsed);
    for (const std::uint64_t count : {1ULL, 1000ULL, 1ULL << 40}) {
      const auto keys = KeyText::make(*parsed, count);
      ASSERT_TRUE(keys);
      std::set<std::size_t> different;
      for (int i = 0; i < 300; ++i) {
        const std::uint64_t number = prng.below(count);
        const std::string text = text_of(*keys, number);
        EXPECT_LE(text.size(), keys->size_max());
        EXPECT_EQ(keys->number(text), number) << text << " seed " << seed;
        EXPECT_NE(keys->number("0" + text), number) << "a number has one text";
        EXPECT_NE(keys->number(text.substr(1)), number);
        different.insert(text.size());
      }
      EXPECT_TRUE(count == 1 || different.size() > 1 || std::string(sizes) == "8-13") << sizes;
    }
  }
  EXPECT_FALSE(KeyText::make(SizeDistribution(SizeDistribution::Of::Keys, 2, 5), 1'000'000));
}

TEST(ValueText, KnowsWhatWasAppended) {
  const SizeDistribution sizes(SizeDistribution::Of::Values, 10, 10);
  const ValueText values(sizes);
  std::string pieces(3 * ValueText::kPieceBytes, '?');
  for (std::uint32_t i = 0; i < 3; ++i) {
    values.write({.operation = Operation::Append, .key = 7, .value_bytes = ValueText::kPieceBytes},
                 &pieces[i * ValueText::kPieceBytes]);
  }
  for (std::uint32_t begin = 0; begin < pieces.size(); ++begin) {
    for (std::uint32_t end = begin; end < pieces.size(); ++end) {
      EXPECT_TRUE(ValueText::matches_pieces(7, 10, 10 + begin, std::string_view(pieces).substr(begin, end - begin)));
    }
  }
  EXPECT_FALSE(ValueText::matches_pieces(8, 10, 10, pieces));
  EXPECT_FALSE(ValueText::matches_pieces(7, 10, 11, pieces));
  pieces[20] ^= 1;
  EXPECT_FALSE(ValueText::matches_pieces(7, 10, 10, pieces));
}

TEST(Counters, AreKeysOfTheirOwnThatBeginWithZero) {
  const auto keys = KeyText::make(7, 1'000'000);
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->can_count());
  EXPECT_EQ(text_of(*keys, 42), "k000042");
  EXPECT_EQ(text_of(*keys, 42 | kCounter), "c000042");
  EXPECT_FALSE(keys->number("c000042"));
  EXPECT_EQ(text_of(*KeyText::make(12, 100), 42 | kCounter), "ctr:00000042");
  EXPECT_FALSE(KeyText::make(6, 1'000'000)->can_count());
  EXPECT_TRUE(KeyText::make(SizeDistribution(SizeDistribution::Of::Keys, 6, 7), 1'000'000)->can_count());

  const ValueText values(SizeDistribution(SizeDistribution::Of::Values, 64, 64));
  EXPECT_EQ(values.bytes_of(100), 64U);
  EXPECT_EQ(values.bytes_of(100 | kCounter), 1U);
  char out = '?';
  EXPECT_EQ(values.write({.operation = Operation::Add, .key = 100 | kCounter, .value_bytes = 1}, &out), &out + 1);
  EXPECT_EQ(out, '0');
}

class Writing : public testing::Test {
 protected:
  static constexpr std::uint64_t kKeys[] = {1, 99};

  explicit Writing()
      : workload_{.key_text = *KeyText::make(6, 100),
                  .value_text = ValueText(SizeDistribution(SizeDistribution::Of::Values, 3, 3))} {
    value_.resize(3);
    workload_.value_text.write(5, 3, value_.data());
    piece_.resize(ValueText::kPieceBytes);
    workload_.value_text.write(request(Operation::Append), piece_.data());
  }

  static Request request(Operation operation, std::uint32_t ttl_s = 0, std::uint64_t unique = 0) {
    Request made{.operation = operation, .key = 5, .ttl_s = ttl_s, .unique = unique};
    if (is_store(operation)) {
      made.value_bytes = operation == Operation::Append ? ValueText::kPieceBytes : 3;
    }
    if (operation == Operation::MultiGet) {
      made.key = kKeys[0];
      made.keys = kKeys;
    }
    return made;
  }

  std::string written(Protocol protocol, const Request& request) {
    workload_.protocol = protocol;
    const RequestWriter writer(workload_);
    std::string out(writer.bytes_max(request), '?');
    out.resize(static_cast<std::size_t>(writer.write(request, out.data()) - out.data()));
    return out;
  }

  Workload workload_;
  std::string value_;
  std::string piece_;
  const std::string flags_ = std::to_string(ValueText::flags_of(5));
};

TEST_F(Writing, Text) {
  using enum Operation;
  const auto text = [&](const Request& request) { return written(Protocol::Text, request); };
  EXPECT_EQ(text(request(Get)), "get key:05\r\n");
  EXPECT_EQ(text(request(MultiGet)), "get key:01 key:99\r\n");
  EXPECT_EQ(text(request(Gets)), "gets key:05\r\n");
  EXPECT_EQ(text(request(Set, 4'294'967'295U)), "set key:05 " + flags_ + " 4294967295 3\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Add)), "add key:05 " + flags_ + " 0 3\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Append)), "append key:05 " + flags_ + " 0 8\r\n" + piece_ + "\r\n");
  EXPECT_EQ(text(request(Cas, 1, UINT64_MAX)),
            "cas key:05 " + flags_ + " 1 3 18446744073709551615\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Delete)), "delete key:05\r\n");
  EXPECT_EQ(text(request(Touch, 60)), "touch key:05 60\r\n");
  EXPECT_EQ(text(request(Incr)), "incr key:05 1\r\n");
}

TEST_F(Writing, Meta) {
  using enum Operation;
  const auto text = [&](const Request& request) { return written(Protocol::Meta, request); };
  EXPECT_EQ(text(request(Get)), "mg key:05 f v\r\n");
  EXPECT_EQ(text(request(MultiGet)), "mg key:01 f k q v\r\nmg key:99 f k q v\r\nmn\r\n");
  EXPECT_EQ(text(request(Gets)), "mg key:05 c f v\r\n");
  EXPECT_EQ(text(request(Set, 60)), "ms key:05 3 F" + flags_ + " T60\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Add)), "ms key:05 3 F" + flags_ + " T0 ME\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Append)), "ms key:05 8 F" + flags_ + " T0 MA\r\n" + piece_ + "\r\n");
  EXPECT_EQ(text(request(Cas, 0, 12)), "ms key:05 3 F" + flags_ + " T0 C12\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Delete)), "md key:05\r\n");
  EXPECT_EQ(text(request(Touch, 60)), "mg key:05 T60\r\n");
  EXPECT_EQ(text(request(Incr)), "ma key:05 N0 J0 v\r\n");
}

TEST_F(Writing, Binary) {
  using enum Operation;
  // Opcode, key bytes, extras bytes, body bytes, cas; then extras, key and value.
  const auto packet = [](unsigned char opcode, const std::string& extras, const std::string& key,
                         const std::string& value, char cas = 0) {
    std::string head(24, '\0');
    head[0] = '\x80';
    head[1] = static_cast<char>(opcode);
    head[3] = static_cast<char>(key.size());
    head[4] = static_cast<char>(extras.size());
    head[11] = static_cast<char>(extras.size() + key.size() + value.size());
    head[23] = cas;
    return head + extras + key + value;
  };
  const auto be32 = [](std::uint32_t n) {
    return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                       static_cast<char>(n)};
  };
  const auto bytes = [&](const Request& request) { return written(Protocol::Binary, request); };
  const std::string stored = be32(ValueText::flags_of(5)) + be32(60);
  EXPECT_EQ(bytes(request(Get)), packet(0x00, "", "key:05", ""));
  EXPECT_EQ(bytes(request(Gets)), packet(0x00, "", "key:05", ""));
  EXPECT_EQ(bytes(request(MultiGet)),
            packet(0x0d, "", "key:01", "") + packet(0x0d, "", "key:99", "") + packet(0x0a, "", "", ""));
  EXPECT_EQ(bytes(request(Set, 60)), packet(0x01, stored, "key:05", value_));
  EXPECT_EQ(bytes(request(Add, 60)), packet(0x02, stored, "key:05", value_));
  EXPECT_EQ(bytes(request(Cas, 60, 9)), packet(0x01, stored, "key:05", value_, 9));
  EXPECT_EQ(bytes(request(Append)), packet(0x0e, "", "key:05", piece_));
  EXPECT_EQ(bytes(request(Delete)), packet(0x04, "", "key:05", ""));
  EXPECT_EQ(bytes(request(Touch, 60)), packet(0x1c, be32(60), "key:05", ""));
  EXPECT_EQ(bytes(request(Incr)), packet(0x05, be32(0) + be32(1) + std::string(12, '\0'), "key:05", ""));
}

TEST_F(Writing, Resp) {
  using enum Operation;
  const auto text = [&](const Request& request) { return written(Protocol::Resp, request); };
  const std::string key = "$6\r\nkey:05\r\n";
  EXPECT_EQ(text(request(Get)), "*2\r\n$3\r\nGET\r\n" + key);
  EXPECT_EQ(text(request(MultiGet)), "*3\r\n$4\r\nMGET\r\n$6\r\nkey:01\r\n$6\r\nkey:99\r\n");
  EXPECT_EQ(text(request(Set)), "*3\r\n$3\r\nSET\r\n" + key + "$3\r\n" + value_ + "\r\n");
  EXPECT_EQ(text(request(Set, 3600)),
            "*5\r\n$3\r\nSET\r\n" + key + "$3\r\n" + value_ + "\r\n$2\r\nEX\r\n$4\r\n3600\r\n");
  EXPECT_EQ(text(request(Add)), "*4\r\n$3\r\nSET\r\n" + key + "$3\r\n" + value_ + "\r\n$2\r\nNX\r\n");
  EXPECT_EQ(text(request(Add, 7)),
            "*6\r\n$3\r\nSET\r\n" + key + "$3\r\n" + value_ + "\r\n$2\r\nEX\r\n$1\r\n7\r\n$2\r\nNX\r\n");
  EXPECT_EQ(text(request(Delete)), "*2\r\n$3\r\nDEL\r\n" + key);
  EXPECT_EQ(text(request(Touch, 60)), "*3\r\n$6\r\nEXPIRE\r\n" + key + "$2\r\n60\r\n");
  EXPECT_EQ(text(request(Incr)), "*3\r\n$6\r\nINCRBY\r\n" + key + "$1\r\n1\r\n");
  EXPECT_FALSE(can_say(Protocol::Resp, Cas));
}

TEST_F(Writing, NeverExceedsItsBound) {
  const std::uint64_t seed = test_seed();
  Prng prng(seed);
  std::vector<std::uint64_t> keys(1024, (1ULL << 40) - 1);
  workload_.key_text = *KeyText::make(250, 1ULL << 40);
  workload_.value_text = ValueText(SizeDistribution(SizeDistribution::Of::Values, 0, 100'000));
  for (std::size_t i = 0; i < kProtocols * kOperations; ++i) {
    const auto protocol = static_cast<Protocol>(i % kProtocols);
    const auto operation = static_cast<Operation>(i / kProtocols);
    workload_.protocol = protocol;
    const RequestWriter writer(workload_);
    for (const std::size_t count : {1U, 2U, 1024U}) {
      Request largest{.operation = operation, .key = keys[0], .ttl_s = UINT32_MAX, .unique = UINT64_MAX};
      if (operation == Operation::MultiGet) {
        largest.keys = std::span(keys).first(count);
      }
      if (is_store(operation)) {
        largest.value_bytes =
            operation == Operation::Append ? ValueText::kPieceBytes : static_cast<std::uint32_t>(prng.below(100'001));
      }
      std::string out(writer.bytes_max(largest) + 1, '\1');
      EXPECT_LE(writer.write(largest, out.data()), &out.back()) << protocol_name(protocol) << operation_name(operation);
      EXPECT_EQ(out.back(), '\1') << protocol_name(protocol) << " " << operation_name(operation);
    }
  }
}

}  // namespace
}  // namespace millrace::load
