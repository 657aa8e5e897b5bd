#include "dataplane/port/capture_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::port {
namespace {

TEST(CaptureRequest, EveryFieldIsRead) {
  const auto request = CaptureRequest::parse("/var/tmp/a b,10,65536,5,96");
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(request->directory, "/var/tmp/a b");
  EXPECT_EQ(request->frames_max, 10U);
  EXPECT_EQ(request->bytes_max, 65'536U);
  EXPECT_EQ(request->seconds_max, 5U);
  EXPECT_EQ(request->snap_bytes, 96U);
}

TEST(CaptureRequest, WhatIsNotSaidHasABound) {
  const auto request = CaptureRequest::parse("/tmp,7");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->frames_max, 7U);
  EXPECT_EQ(request->bytes_max, 67'108'864U);
  EXPECT_EQ(request->seconds_max, 60U);
  EXPECT_EQ(request->snap_bytes, kFrameBytesMax);
}

TEST(CaptureRequest, TheRestIsRefusedWithASentence) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "path begins with /"},
      {"tmp,1", "path begins with /"},
      {"/" + std::string(1023, 'a'), "at most 1023 bytes"},
      {std::string("/a\0b", 4), "none of them is 0"},
      {"/tmp,0", "FRAMES is a whole number from 1"},
      {"/tmp,", "FRAMES"},
      {"/tmp,1 ", "FRAMES"},
      {"/tmp,+1", "FRAMES"},
      {"/tmp,1,65535", "BYTES is a whole number from 65536"},
      {"/tmp,1,99999999999999999999", "BYTES"},
      {"/tmp,1,65536,86401", "SECONDS"},
      {"/tmp,1,65536,1,13", "SNAP is a whole number from 14 to 65553"},
      {"/tmp,1,65536,1,14,", "nothing comes after"},
  };
  for (const auto& [line, sentence] : cases) {
    const auto request = CaptureRequest::parse(line);
    ASSERT_FALSE(request) << line;
    EXPECT_THAT(request.error().what, testing::HasSubstr(sentence)) << line;
  }
}

}  // namespace
}  // namespace millrace::port
