// --allow, --refuse, --admin-listen, --open and --cluster: what they make of Options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli_words.h"

namespace millrace::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<dataplane::IpPrefix>& prefixes) {
  std::vector<std::string> out;
  for (const auto& prefix : prefixes) {
    out.push_back(prefix.text());
  }
  return out;
}

TEST(Access, NothingSaidIsNoRule) {
  const Options plain = accepted({});
  EXPECT_THAT(plain.access, IsEmpty());
  EXPECT_THAT(plain.admin_listen, IsEmpty());
  EXPECT_THAT(plain.cluster_nodes, IsEmpty());
  EXPECT_FALSE(plain.may_be_open);
}

TEST(Access, RulesOfOneListenerAreOne) {
  const Options options = accepted({"--allow", "10.0.0.0/8,::1", "--refuse", "write", "--allow=192.0.2.7", "--refuse",
                                    "a:1=get,flush_all", "--allow", "[::1]:5=fd00::/8"});
  ASSERT_EQ(options.access.size(), 3U);
  EXPECT_EQ(options.access[0].listener, "");
  EXPECT_THAT(texts(options.access[0].allow), ElementsAre("10.0.0.0/8", "::1/128", "192.0.2.7/32"));
  EXPECT_THAT(options.access[0].refused, ElementsAre("write"));
  EXPECT_EQ(options.access[1].listener, "[::1]:5");
  EXPECT_THAT(texts(options.access[1].allow), ElementsAre("fd00::/8"));
  EXPECT_EQ(options.access[2].listener, "a:1");
  EXPECT_THAT(options.access[2].refused, ElementsAre("get", "flush_all"));
}

TEST(Access, WrongWordsAreRefusedWithWhatWouldWork) {
  for (const char* wrong : {"", "10.0.0.0/33", "example.org", "10.0.0.0/8,", "a=", "a=b=10.0.0.0/8"}) {
    EXPECT_THAT(refused({"--allow", wrong}), AllOf(HasSubstr("--allow"), HasSubstr("LISTENER="))) << wrong;
  }
  for (const char* wrong : {"get,,set", "a=get,"}) {
    EXPECT_THAT(refused({"--refuse", wrong}), HasSubstr("a command is empty")) << wrong;
  }
  EXPECT_THAT(refused({"--admin-listen", "127.0.0.1"}), HasSubstr("a port of their own"));
  EXPECT_THAT(refused({"--admin-listen", "127.0.0.1:x"}), HasSubstr("--admin-listen"));
  for (const char* wrong : {"", "host", "host:0", "host:65536", "a|b", "|b|1", "a|b|c", "a b:1", "a|b|1|2"}) {
    EXPECT_THAT(refused({"--cluster", wrong}), HasSubstr("is no node")) << wrong;
  }
}

TEST(Access, DoorsAndNodes) {
  const Options options = accepted({"--admin-listen", "127.0.0.1:7,[::1]:8", "--open", "--cluster", "a:1,b|10.0.0.1|2",
                                    "--cluster", "c|c.example|3"});
  ASSERT_EQ(options.admin_listen.size(), 2U);
  EXPECT_EQ(options.admin_listen[0].host, "127.0.0.1");
  EXPECT_EQ(options.admin_listen[1].port, 8);
  EXPECT_TRUE(options.may_be_open);
  EXPECT_THAT(options.cluster_nodes, ElementsAre("a|a|1", "b|10.0.0.1|2", "c|c.example|3"));
}

TEST(Access, WhoMayComeIsSaidSoNothingIsNoted) {
  EXPECT_THAT(accepted({"-l", "10.0.0.5", "--allow", "10.0.0.0/8"}).notes, IsEmpty());
  EXPECT_THAT(accepted({"-l", "10.0.0.5"}).notes, ElementsAre(HasSubstr("--allow")));
}

}  // namespace
}  // namespace millrace::config
