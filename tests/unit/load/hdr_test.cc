// The HdrHistogram encoding and log, read by a decoder of the test's own that knows only the published format: it
// computes values from indexes by HdrHistogram's formulas and never asks our Histogram where a bucket lies.
#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "bench/load/histogram.h"
#include "bench/load/prng.h"
#include "bench/load/report/hdr_codec.h"
#include "bench/load/report/hdr_log.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

struct Decoded {
  std::uint32_t digits = 0;
  std::uint64_t lowest = 0;
  std::uint64_t highest = 0;
  double ratio = 0;
  std::map<std::uint64_t, std::int64_t> counts;  ///< by the lowest value of the bucket
};

std::string from_base64(const std::string& text) {
  const auto digit = [](char c) -> unsigned {
    if (c >= 'A' && c <= 'Z') {
      return static_cast<unsigned>(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
      return static_cast<unsigned>(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
      return static_cast<unsigned>(c - '0') + 52;
    }
    return c == '+' ? 62 : 63;
  };
  EXPECT_EQ(text.size() % 4, 0U);
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    unsigned bits = 0;
    unsigned missing = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      missing += text[i + k] == '=' ? 1U : 0U;
      bits = bits << 6 | (text[i + k] == '=' ? 0 : digit(text[i + k]));
    }
    for (unsigned k = 0; k < 3 - missing; ++k) {
      out += static_cast<char>(bits >> (16 - 8 * k));
    }
  }
  return out;
}

std::uint64_t big_endian(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    value = value * 256 + static_cast<unsigned char>(bytes.at(i));
  }
  return value;
}

Decoded decode(const std::string& text) {
  const std::string outer = from_base64(text);
  EXPECT_EQ(big_endian(outer, 0, 4), 0x1c849304U + 0x10);
  EXPECT_EQ(big_endian(outer, 4, 4), outer.size() - 8);
  std::string plain(1 << 20, '\0');
  uLongf size = plain.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &size, reinterpret_cast<const Bytef*>(outer.data()) + 8,
                       outer.size() - 8),
            Z_OK);
  plain.resize(size);
  EXPECT_EQ(big_endian(plain, 0, 4), 0x1c849303U + 0x10);
  EXPECT_EQ(big_endian(plain, 4, 4), plain.size() - 40) << "payload length";
  EXPECT_EQ(big_endian(plain, 8, 4), 0U) << "normalizing index offset";
  Decoded out;
  out.digits = static_cast<std::uint32_t>(big_endian(plain, 12, 4));
  out.lowest = big_endian(plain, 16, 8);
  out.highest = big_endian(plain, 24, 8);
  out.ratio = std::bit_cast<double>(big_endian(plain, 32, 8));

  // HdrHistogram's own arithmetic of where an index lies.
  const auto resolution = static_cast<std::uint64_t>(2 * std::pow(10, out.digits));
  const unsigned magnitude = static_cast<unsigned>(std::ceil(std::log2(static_cast<double>(resolution))));
  const std::uint64_t sub_buckets = 1ULL << magnitude;
  const std::uint64_t half = sub_buckets / 2;
  const auto value_at = [&](std::uint64_t index) {
    auto bucket = static_cast<std::int64_t>(index / half) - 1;
    std::uint64_t sub = index % half + half;
    if (bucket < 0) {
      sub -= half;
      bucket = 0;
    }
    return sub << bucket;
  };
  std::uint64_t index = 0;
  for (std::size_t at = 40; at < plain.size();) {
    std::uint64_t value = 0;
    for (unsigned byte = 0; byte < 9; ++byte) {
      const std::uint64_t b = static_cast<unsigned char>(plain.at(at++));
      value |= (byte == 8 ? b : b % 128) << (7 * byte);
      if (b < 128) {
        break;
      }
    }
    const auto number = static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    if (number < 0) {
      index += static_cast<std::uint64_t>(-number);
    } else {
      out.counts[value_at(index++)] = number;
    }
  }
  return out;
}

TEST(Hdr, EmptyAndSingle) {
  Histogram histogram;
  EXPECT_TRUE(decode(hdr_text(histogram)).counts.empty());
  histogram.record(0);
  EXPECT_EQ(decode(hdr_text(histogram)).counts, (std::map<std::uint64_t, std::int64_t>{{0, 1}}));
}

TEST(Hdr, HeaderSaysTwoDigitsFromOneUp) {
  const Decoded decoded = decode(hdr_text(Histogram{}));
  EXPECT_EQ(decoded.digits, 2U);
  EXPECT_EQ(decoded.lowest, 1U);
  EXPECT_EQ(decoded.highest, Histogram::kValueMax);
  EXPECT_EQ(decoded.ratio, 1.0);
}

TEST(Hdr, EveryValueStandsWhereHdrHistogramPutsIt) {
  Prng prng(test_seed());
  Histogram histogram;
  std::map<std::uint64_t, std::int64_t> expected;
  const auto add = [&](std::uint64_t value) {
    histogram.record(static_cast<std::int64_t>(value));
    // 256 steps of one, then 128 steps to each doubling.
    std::uint64_t width = 1;
    while (value / width >= 256) {
      width *= 2;
    }
    ++expected[value / width * width];
  };
  for (unsigned bits = 1; bits <= 40; ++bits) {
    add((1ULL << bits) - 1);
    add(bits < 40 ? 1ULL << bits : 0);
    for (int i = 0; i < 500; ++i) {
      add(prng.next() >> (64 - bits));
    }
  }
  EXPECT_EQ(decode(hdr_text(histogram)).counts, expected);
}

TEST(Hdr, LargeCountsTakeAllNineBytes) {
  Histogram histogram;
  histogram.restore(3, 1ULL << 62);
  histogram.restore(5, 127);
  histogram.restore(9, 64);
  EXPECT_EQ(decode(hdr_text(histogram)).counts,
            (std::map<std::uint64_t, std::int64_t>{{3, std::int64_t{1} << 62}, {5, 127}, {9, 64}}));
}

TEST(Hdr, ComesBackAsItWas) {
  Prng prng(test_seed());
  for (int run = 0; run < 50; ++run) {
    Histogram histogram;
    for (std::uint64_t i = prng.below(5000); i > 0; --i) {
      histogram.record(static_cast<std::int64_t>(prng.next() >> (20 + prng.below(44))));
    }
    Histogram again;
    ASSERT_TRUE(add_hdr_text(hdr_text(histogram), again));
    ASSERT_EQ(again.buckets(), histogram.buckets());
    ASSERT_EQ(again.count(), histogram.count());
    ASSERT_TRUE(add_hdr_text(hdr_text(histogram), again)) << "adds";
    ASSERT_EQ(again.count(), 2 * histogram.count());
  }
}

TEST(Hdr, RefusesWhatIsNone) {
  Histogram histogram;
  histogram.record(1000);
  const std::string good = hdr_text(histogram);
  for (const std::string& text : {std::string(), std::string("AAAA"), std::string("*"), good.substr(0, 20),
                                  good.substr(0, good.size() - 8), "A" + good}) {
    Histogram into;
    EXPECT_FALSE(add_hdr_text(text, into)) << text;
  }
  Prng prng(test_seed());
  for (int i = 0; i < 2000; ++i) {  // damaged anywhere: no crash; mostly refused, by zlib's checksum
    std::string text = good;
    text[prng.below(text.size())] = "ABCxyz019+/="[prng.below(12)];
    Histogram into;
    static_cast<void>(add_hdr_text(text, into));
  }
}

TEST(Hdr, LogHasTheHeadAndALineAnInterval) {
  const auto path = std::filesystem::temp_directory_path() / ("millrace_hdr_" + std::to_string(test_seed()) + ".log");
  OperationLatencies one;
  one.record(Operation::Get, 1'500'000);
  OperationLatencies several;
  several.record(Operation::Get, 1'000'000);
  several.record(Operation::Set, 2'000'000);
  {
    auto log = HdrLog::create(path, 1'700'000'000'250);
    ASSERT_TRUE(log);
    log->add(0, 1, one);
    log->add(1.0006, 0.5, several);
    log->add(2, 1, OperationLatencies{});
    ASSERT_TRUE(log->finish());
  }
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  std::filesystem::remove(path);
  ASSERT_EQ(lines.size(), 10U);
  EXPECT_EQ(lines[1], "#[Histogram log format version 1.3]");
  EXPECT_EQ(lines[2], "#[BaseTime: 1700000000.250 (seconds since epoch)]");
  EXPECT_EQ(lines[3], "#[StartTime: 1700000000.250 (seconds since epoch), Tue Nov 14 22:13:20 UTC 2023]");
  EXPECT_EQ(lines[4], R"("StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram")");
  EXPECT_TRUE(lines[5].starts_with("0.000,1.000,1.500,")) << lines[5];
  EXPECT_EQ(decode(lines[5].substr(lines[5].rfind(',') + 1)).counts.size(), 1U);
  EXPECT_TRUE(lines[6].starts_with("1.001,0.500,2.000,")) << lines[6];
  EXPECT_EQ(decode(lines[6].substr(lines[6].rfind(',') + 1)).counts.size(), 2U);
  EXPECT_TRUE(lines[7].starts_with("Tag=get,1.001,0.500,1.000,")) << lines[7];
  EXPECT_TRUE(lines[8].starts_with("Tag=set,1.001,0.500,2.000,")) << lines[8];
  EXPECT_TRUE(lines[9].starts_with("2.000,1.000,0.000,")) << "nothing was answered: a line all the same";
  EXPECT_FALSE(HdrLog::create("/nowhere/at/all", 0));
}

}  // namespace
}  // namespace millrace::load
