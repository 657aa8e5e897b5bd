// Endpoint: text to address and back.
#include "dataplane/api/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace millrace::dataplane {
namespace {

using testing::HasSubstr;

Endpoint literal(const char* host, std::uint16_t port) { return Endpoint::resolve(host, port)->front(); }

TEST(Endpoint, Ipv4) {
  const Endpoint endpoint = literal("127.1.2.3", 11211);
  EXPECT_EQ(endpoint.text(), "127.1.2.3:11211");
  EXPECT_EQ(endpoint.port(), 11211);
  EXPECT_TRUE(endpoint.is_loopback());
  EXPECT_FALSE(endpoint.is_unix());
  EXPECT_FALSE(literal("0.0.0.0", 1).is_loopback());
  EXPECT_FALSE(literal("128.0.0.1", 1).is_loopback());
}

TEST(Endpoint, Ipv6) {
  for (const char* host : {"::1", "[::1]"}) {
    const Endpoint endpoint = literal(host, 80);
    EXPECT_EQ(endpoint.text(), "[::1]:80");
    EXPECT_EQ(endpoint.port(), 80);
    EXPECT_TRUE(endpoint.is_loopback());
  }
  EXPECT_FALSE(literal("::", 80).is_loopback());
  EXPECT_TRUE(literal("::ffff:127.0.0.1", 80).is_loopback());
  EXPECT_FALSE(literal("::ffff:10.0.0.1", 80).is_loopback());
}

TEST(Endpoint, SetPort) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    Endpoint endpoint = literal(host, 0);
    endpoint.set_port(54321);
    EXPECT_EQ(endpoint.port(), 54321);
    EXPECT_EQ(endpoint.text(), literal(host, 54321).text());
  }
}

TEST(Endpoint, UnixPath) {
  const auto endpoint = Endpoint::unix_path("/run/x.sock");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->text(), "/run/x.sock");
  EXPECT_TRUE(endpoint->is_unix());
  EXPECT_TRUE(endpoint->is_loopback());
  EXPECT_EQ(endpoint->port(), 0);
  EXPECT_EQ(Endpoint::unix_path(std::string(107, 'p'))->text(), std::string(107, 'p'));
}

TEST(Endpoint, UnixPathsThatCannotBe) {
  for (const std::string& path : {std::string(), std::string(108, 'p')}) {
    const auto endpoint = Endpoint::unix_path(path);
    ASSERT_FALSE(endpoint);
    EXPECT_THAT(endpoint.error().what, HasSubstr("between 1 and 107"));
  }
  EXPECT_THAT(Endpoint::unix_path(std::string("a\0b", 3)).error().what, HasSubstr("zero byte"));
}

TEST(Endpoint, AnUnnamedPeerHasNoText) {
  Endpoint endpoint;
  endpoint.address.ss_family = AF_UNIX;
  endpoint.address_bytes = sizeof(sa_family_t);
  EXPECT_EQ(endpoint.text(), "");
}

TEST(Endpoint, HostsThatCannotBe) {
  for (const char* host : {"", "[]"}) {
    EXPECT_THAT(Endpoint::resolve(host, 1).error().what, HasSubstr("empty host name"));
  }
  EXPECT_THAT(Endpoint::resolve("127.0.0.1.5", 1).error().what, HasSubstr("no address found for '127.0.0.1.5'"));
}

TEST(Endpoint, ANameGivesEachAddressOnce) {
  const auto endpoints = Endpoint::resolve("localhost", 7);
  ASSERT_TRUE(endpoints);
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    EXPECT_TRUE((*endpoints)[i].is_loopback());
    for (std::size_t k = 0; k < i; ++k) {
      EXPECT_NE((*endpoints)[i].text(), (*endpoints)[k].text());
    }
  }
}

}  // namespace
}  // namespace millrace::dataplane
