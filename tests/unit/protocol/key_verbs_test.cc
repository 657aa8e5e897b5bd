// delete touch incr decr.

#include "expect.h"

namespace millrace::tests {
namespace {

const std::string kKey251(251, 'k');

TEST(ParseDelete, IgnoresThreeFurtherWords) {
  expect_found("delete a\r\n", {"delete a"});
  expect_found("delete a 0\r\n", {"delete a"});
  expect_found("delete a 5\r\n", {"delete a"});
  expect_found("delete a b c\r\n", {"delete a"});
  expect_found("delete a noreply\r\nmn\r\n", {"delete a noreply", "mn"});
  expect_found("delete a 0 noreply\r\n", {"delete a noreply"});
  expect_found("delete a noreply 0\r\n", {"delete a"});
  expect_found("delete noreply\r\n", {"delete noreply noreply"});
  expect_found("delete a 0 0 noreply\r\nmn\r\n", {"delete a noreply", "mn"});
  expect_found("delete a b c d e\r\nmn\r\n", {kUnknown, "mn"});
  expect_found("delete a b c d noreply\r\nmn\r\n", {kSilent, "mn"});
}

TEST(ParseDelete, NeedsAKeyThatCanBe) {
  expect_found("delete\r\n", {kBad});
  expect_found("delete  \r\n", {kBad});
  expect_found("delete " + kKey251 + "\r\n", {kBad});
  expect_found("delete " + kKey251 + " noreply\r\nmn\r\n", {kSilent, "mn"});
}

TEST(ParseTouch, NeedsATime) {
  expect_found("touch nokey 10\r\n", {"touch nokey exptime=10"});
  expect_found("touch a -2147483648 noreply\r\n", {"touch a exptime=-2147483648 noreply"});
  expect_found("touch a\r\n", {kBad});
  expect_found("touch noreply\r\n", {kBad});
  expect_found("touch a abc\r\n", {kBadTime});
  expect_found("touch a 2147483648\r\n", {kBadTime});
  expect_found("touch a -2147483649\r\n", {kBadTime});
  expect_found("touch a 000000000001\r\n", {kBadTime});
  expect_found("touch a noreply\r\nmn\r\n", {kSilent, "mn"});
  expect_found("touch " + kKey251 + " 1\r\n", {kBad});
}

TEST(ParseArith, NeedsADelta) {
  expect_found("incr n 1\r\n", {"incr n number=1"});
  expect_found("decr n 100 noreply\r\n", {"decr n number=100 noreply"});
  expect_found("incr n 18446744073709551615\r\n", {"incr n number=18446744073709551615"});
  expect_found("incr n 18446744073709551616\r\n", {kBadNumber});
  expect_found("incr n -1\r\n", {kBadNumber});
  expect_found("incr n abc\r\n", {kBadNumber});
  expect_found("incr n 1x\r\n", {kBadNumber});
  expect_found("incr n 0000000000000000000001\r\n", {"incr n number=1"});
  expect_found("incr n 00000000000000000000001\r\n", {kBadNumber});
  expect_found("incr n noreply\r\nmn\r\n", {kSilent, "mn"});
  expect_found("incr n\r\n", {kBad});
  expect_found("decr\r\n", {kBad});
  expect_found("decr " + kKey251 + " 1\r\n", {kBad});
  expect_found("incr n 1 extra words\r\n", {"incr n number=1"});
}

}  // namespace
}  // namespace millrace::tests
