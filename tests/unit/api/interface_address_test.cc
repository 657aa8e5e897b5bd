// InterfaceAddress: text to an address of ours and back.
#include "dataplane/api/interface_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace millrace::dataplane {
namespace {

using testing::HasSubstr;

TEST(InterfaceAddress, ReadsBothFamilies) {
  for (const char* text : {"10.0.0.2/24", "192.0.2.1/32", "10.0.0.2/1", "2001:db8::2/64", "fd00::1/128"}) {
    const auto address = InterfaceAddress::parse(text);
    ASSERT_TRUE(address) << address.error().what;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_EQ(InterfaceAddress::parse("10.0.0.2/24")->bits, 120);
  EXPECT_EQ(InterfaceAddress::parse("10.0.0.2/24")->address[15], 2) << "the host's own bits stay";
}

TEST(InterfaceAddress, SaysWhatWouldWork) {
  const auto refused = [](const char* text) {
    const auto address = InterfaceAddress::parse(text);
    EXPECT_FALSE(address) << text;
    return address ? std::string() : address.error().what;
  };
  EXPECT_THAT(refused("10.0.0.2"), HasSubstr("10.0.0.2/24"));
  EXPECT_THAT(refused("2001:db8::2"), HasSubstr("2001:db8::2/64"));
  EXPECT_THAT(refused("10.0.0.2/33"), HasSubstr("from 1 to 32"));
  EXPECT_THAT(refused("10.0.0.2/0"), HasSubstr("from 1 to 32"));
  EXPECT_THAT(refused("2001:db8::2/129"), HasSubstr("from 1 to 128"));
  EXPECT_THAT(refused("10.0.0.2/x"), HasSubstr("from 1 to 32"));
  EXPECT_THAT(refused("10.0.0.2/24 "), HasSubstr("from 1 to 32"));
  EXPECT_THAT(refused("host/24"), HasSubstr("is not an address"));
  EXPECT_THAT(refused(""), HasSubstr("/24"));
  EXPECT_FALSE(parse_ip("10.0.0.0/8"));
  EXPECT_EQ(ip_text(*parse_ip("10.0.0.1")), "10.0.0.1");
  EXPECT_EQ(ip_text(*parse_ip("::1")), "::1");
}

}  // namespace
}  // namespace millrace::dataplane
