// The file of users, the comparison, the exchange at run time, and SASL PLAIN's message.

#include <gtest/gtest.h>

#include <unistd.h>
#include <atomic>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "auth/authenticator.h"
#include "auth/credentials.h"
#include "auth/sasl_plain.h"

namespace millrace::auth {
namespace {

using namespace std::string_view_literals;

std::string refusal(std::string_view text) {
  const auto parsed = Credentials::parse(text);
  return parsed ? "" : parsed.error().what;
}

Credentials good(std::string_view text) {
  auto parsed = Credentials::parse(text);
  EXPECT_TRUE(parsed) << parsed.error().what;
  return parsed.value_or(Credentials{});
}

TEST(Credentials, AdmitThoseOfTheFile) {
  const Credentials two = good("alice:secret\nbob:pa ss:word\r\n");
  EXPECT_EQ(two.users(), 2U);
  EXPECT_TRUE(two.admits("alice", "secret"));
  EXPECT_TRUE(two.admits("bob", "pa ss:word")) << "a password may hold colons";
  for (const auto& [user, password] : {std::pair{"alice"sv, "secre"sv},
                                       {"alice"sv, "secret1"sv},
                                       {"alic"sv, "secret"sv},
                                       {"alice"sv, "pa ss:word"sv},
                                       {"bob"sv, "secret"sv},
                                       {""sv, "secret"sv},
                                       {"alice"sv, ""sv},
                                       {"alice\0"sv, "secret"sv},
                                       {"alice"sv, "secret\0"sv},
                                       {"Alice"sv, "secret"sv}}) {
    EXPECT_FALSE(two.admits(user, password)) << user << " " << password;
  }
  EXPECT_FALSE(two.admits("alice", std::string(5000, 'x')));
  EXPECT_FALSE(Credentials{}.admits("alice", "secret")) << "an empty set lets nobody in";
}

TEST(Credentials, TwoLinesOfOneUserAreBothGood) {
  const Credentials two = good("a:old\na:new");
  EXPECT_TRUE(two.admits("a", "old"));
  EXPECT_TRUE(two.admits("a", "new"));
}

TEST(Credentials, RefuseABadFileByLine) {
  EXPECT_EQ(refusal("a:b\nnobody\n"), "line 2 is not 'user:password'");
  EXPECT_EQ(refusal("a:b\n\nc:d\n"), "line 2 is not 'user:password'");
  EXPECT_EQ(refusal("a:b\0c\n"sv), "line 1 is not 'user:password'");
  EXPECT_NE(refusal(":b\n").find("line 1: the user's name is empty"), std::string::npos);
  EXPECT_NE(refusal("a:\n").find("line 1: the password is empty"), std::string::npos);
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
  EXPECT_NE(refusal("\n").find("line 1"), std::string::npos);
  EXPECT_EQ(refusal("a:" + std::string(253, 'x')), "");
  EXPECT_NE(refusal("a:" + std::string(254, 'x')).find("line 1 has 256 bytes"), std::string::npos);
  std::string many;
  for (int i = 0; i < 8; ++i) {
    many += "u" + std::to_string(i) + ":p\n";
  }
  EXPECT_EQ(good(many).users(), 8U);
  EXPECT_NE(refusal(many + "u8:p\n").find("more than 8 users"), std::string::npos);
  EXPECT_EQ(refusal("user:secretword\nsecretword").find("secretword"), std::string::npos) << "errors tell no secret";
}

/// CVE-2026-47783: how long it took told how much of a password was right.
TEST(Credentials, CompareEveryByte) {
  std::string a(256, 'a');
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::string b = a;
    EXPECT_TRUE(are_equal(a.data(), b.data(), a.size()));
    b[i] = static_cast<char>(b[i] ^ (1 << (i % 8)));
    EXPECT_FALSE(are_equal(a.data(), b.data(), a.size())) << i;
    EXPECT_TRUE(are_equal(a.data(), b.data(), i)) << "only what it is told";
  }
}

class AuthenticatorTest : public testing::Test {
 protected:
  void SetUp() override { path_ = testing::TempDir() + "millrace_auth_" + std::to_string(getpid()); }
  void TearDown() override { std::filesystem::remove(path_); }
  void write(std::string_view text) {
    std::ofstream(path_ + ".new") << text;
    std::filesystem::rename(path_ + ".new", path_);
  }
  std::string path_;
};

TEST_F(AuthenticatorTest, ExchangesTheFileAndKeepsTheOldOneWhenTheNewIsBad) {
  EXPECT_FALSE(Authenticator::open(path_)) << "there is no such file";
  write("a:one\n");
  auto opened = Authenticator::open(path_);
  ASSERT_TRUE(opened);
  Authenticator& all = **opened;
  EXPECT_TRUE(all.admits("a", "one"));
  write("a:two\nb:two\n");
  EXPECT_TRUE(all.admits("a", "one")) << "not before it is told";
  const auto users = all.reload();
  ASSERT_TRUE(users);
  EXPECT_EQ(*users, 2U);
  EXPECT_FALSE(all.admits("a", "one"));
  EXPECT_TRUE(all.admits("b", "two"));
  for (const std::string& bad : {std::string("nonsense\n"), std::string(), std::string(kFileBytesMax + 1, 'x')}) {
    write(bad);
    const auto again = all.reload();
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().what.find(path_), std::string::npos) << again.error().what;
    EXPECT_TRUE(all.admits("a", "two"));
  }
  std::filesystem::remove(path_);
  EXPECT_FALSE(all.reload());
  EXPECT_TRUE(all.admits("a", "two"));
}

TEST_F(AuthenticatorTest, IsReadWhileItIsExchanged) {
  write("a:same\n");
  auto opened = Authenticator::open(path_);
  ASSERT_TRUE(opened);
  std::atomic<bool> stops{false};
  std::atomic<std::uint64_t> refused{0};
  std::thread reader([&] {
    while (!stops.load()) {
      refused += (*opened)->admits("a", "same") ? 0 : 1;
    }
  });
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE((*opened)->reload());
  }
  stops = true;
  reader.join();
  EXPECT_EQ(refused.load(), 0U);
}

TEST(SaslPlain, ReadsUserAndPassword) {
  const auto read = read_sasl_plain("\0alice\0secret"sv);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->user, "alice");
  EXPECT_EQ(read->password, "secret");
  EXPECT_TRUE(read_sasl_plain("alice\0alice\0secret"sv)) << "for oneself";
  EXPECT_FALSE(read_sasl_plain("bob\0alice\0secret"sv)) << "for somebody else";
  for (const std::string_view bad : {""sv, "\0"sv, "\0\0"sv, "alice"sv, "\0alice"sv, "\0alice\0"sv, "\0\0secret"sv,
                                     "\0alice\0secret\0"sv, "\0a\0b\0c"sv}) {
    EXPECT_FALSE(read_sasl_plain(bad));
  }
}

}  // namespace
}  // namespace millrace::auth
