#include "bench/load/report/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bench/load/prng.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

TEST(Json, WritesValuesInOrder) {
  Json json;
  json.add("z", std::uint64_t{UINT64_MAX}).add("a", 0.1).add("t", true).add("n", Json()).add("s", "q\"\\\n\x01");
  json.add("list", Json(Json::Array{})).add("none", Json(Json::Object{}));
  EXPECT_EQ(json.text(),
            R"({"z":18446744073709551615,"a":0.1,"t":true,"n":null,"s":"q\"\\\u000a\u0001","list":[],"none":{}})");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).text(), "null");
  EXPECT_EQ(Json(std::nan("")).text(), "null");
}

TEST(Json, IndentedIsTheSameValue) {
  Json row;
  row.push(std::uint64_t{1}).push(std::uint64_t{2});
  Json json;
  json.add("row", row).add("objects", Json().push(Json().add("a", 1.5)));
  EXPECT_EQ(json.text(1), "{\n \"row\": [1,2],\n \"objects\": [\n  {\n   \"a\": 1.5\n  }\n ]\n}");
  EXPECT_EQ(Json::parse(json.text(1))->text(), json.text());
}

TEST(Json, ReadsWhatOthersWrite) {
  const auto json = Json::parse(
      " { \"a\" : [ 1 , -2.5e3, 18446744073709551615, true, false, null ],\n\"b\":\"\\u00e9\\ud83d\\ude00\\t\\/\" } ");
  ASSERT_TRUE(json);
  const auto& array = (*json)["a"].array();
  ASSERT_EQ(array.size(), 6U);
  EXPECT_EQ(array[0].whole(), 1U);
  EXPECT_EQ(array[1].number(), -2500);
  EXPECT_EQ(array[2].whole(), UINT64_MAX);
  EXPECT_TRUE(array[3].flag());
  EXPECT_FALSE(array[4].flag(true));
  EXPECT_TRUE(array[5].is_null());
  EXPECT_EQ((*json)["b"].string(), "\xc3\xa9\xf0\x9f\x98\x80\t/");
}

TEST(Json, WhatIsMissingReadsAsTheDefault) {
  const auto json = Json::parse(R"({"text":"x","number":1.5})");
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["absent"]["deeper"].number(7), 7);
  EXPECT_EQ((*json)["text"].whole(9), 9U);
  EXPECT_EQ((*json)["number"].whole(9), 9U) << "1.5 is not whole";
  EXPECT_EQ((*json)["number"].string("none"), "none");
  EXPECT_TRUE((*json)["text"].array().empty());
}

TEST(Json, RefusesWhatIsNone) {
  for (const char* const text :
       {"",    " ",   "{",  "[1,]",    "[1 2]",     "{\"a\"}",     "{\"a\":}",           "{a:1}",
        "tru", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "1 2",
        "--1", "1e",  "+1", ".",       "[1]]"}) {
    EXPECT_FALSE(Json::parse(text)) << text;
  }
  EXPECT_FALSE(Json::parse(std::string(100'000, '['))) << "depth is bounded";
}

Json random_json(Prng& prng, int depth) {
  switch (prng.below(depth > 0 ? 7 : 5)) {
    case 0:
      return {};
    case 1:
      return prng.below(2) == 0;
    case 2:
      return prng.next() >> prng.below(64);
    case 3:
      return (prng.unit() - 0.5) * std::pow(10, static_cast<double>(prng.below(40)) - 20) + 1e-30;
    case 4: {
      std::string text;
      for (std::uint64_t i = prng.below(20); i > 0; --i) {
        text += static_cast<char>(1 + prng.below(126));
      }
      return text;
    }
    case 5: {
      Json array{Json::Array{}};
      for (std::uint64_t i = prng.below(5); i > 0; --i) {
        array.push(random_json(prng, depth - 1));
      }
      return array;
    }
    default: {
      Json object{Json::Object{}};
      for (std::uint64_t i = prng.below(5); i > 0; --i) {
        object.add("m" + std::to_string(i), random_json(prng, depth - 1));
      }
      return object;
    }
  }
}

TEST(Json, AnyValueComesBackAsItWas) {
  Prng prng(test_seed());
  for (int i = 0; i < 2000; ++i) {
    const Json json = random_json(prng, 5);
    for (const unsigned indent : {0U, 1U}) {
      const auto again = Json::parse(json.text(indent));
      ASSERT_TRUE(again) << json.text();
      ASSERT_EQ(again->text(), json.text());
    }
  }
}

TEST(Json, CutTextNeverReadsAsWhole) {
  Json json;
  json.add("a", Json().push(std::uint64_t{12}).push(1.5)).add("b", "text\n").add("c", Json(Json::Object{}));
  const std::string text = json.text();
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    EXPECT_FALSE(Json::parse(text.substr(0, cut))) << cut;
  }
}

}  // namespace
}  // namespace millrace::load
