// From --ip and --gateway to the addresses of a host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/nic/nic.h"

namespace millrace::nic {
namespace {

using testing::HasSubstr;

constexpr wire::MacAddress kMac = {2, 0, 0, 0, 0, 1};

NicOptions options(const std::vector<std::string>& addresses, const std::vector<std::string>& gateways = {}) {
  NicOptions wanted;
  for (const std::string& text : addresses) {
    wanted.addresses.push_back(*dataplane::InterfaceAddress::parse(text));
  }
  for (const std::string& text : gateways) {
    wanted.gateways.push_back(*dataplane::parse_ip(text));
  }
  return wanted;
}

std::string refused(const NicOptions& wanted) {
  const auto host = host_addresses(wanted, kMac);
  EXPECT_FALSE(host);
  return host ? "" : host.error().what;
}

wire::IpAddress ip(const std::string& text) { return {*dataplane::parse_ip(text)}; }

TEST(HostAddressesOfOptions, KnowNetworksAndRouters) {
  const auto host = host_addresses(options({"10.0.0.2/24", "fd00::2/64"}, {"10.0.0.1", "fd00::1"}), kMac);
  ASSERT_TRUE(host) << host.error().what;
  EXPECT_TRUE(host->is_ours(ip("10.0.0.2")));
  EXPECT_EQ(host->next_hop(ip("10.0.0.9")), ip("10.0.0.9"));
  EXPECT_EQ(host->next_hop(ip("192.0.2.1")), ip("10.0.0.1"));
  EXPECT_EQ(host->next_hop(ip("2001:db8::1")), ip("fd00::1"));
  EXPECT_TRUE(host->is_broadcast(ip("10.0.0.255")));
}

TEST(HostAddressesOfOptions, SayWhatCannotBe) {
  EXPECT_THAT(refused(options({})), HasSubstr("--ip"));
  EXPECT_THAT(refused(options({"10.0.0.2/24", "10.0.0.2/16"})), HasSubstr("twice"));
  EXPECT_THAT(refused(options({"10.0.0.0/24"})), HasSubstr("the network itself"));
  EXPECT_THAT(refused(options({"10.0.0.255/24"})), HasSubstr("everybody"));
  EXPECT_THAT(refused(options({"224.0.0.1/24"})), HasSubstr("no host can have"));
  EXPECT_THAT(refused(options({"127.0.0.1/8"})), HasSubstr("no host can have"));
  EXPECT_THAT(refused(options({"10.0.0.2/24"}, {"10.0.1.1"})), HasSubstr("--gateway 10.0.1.1"));
  EXPECT_THAT(refused(options({"10.0.0.2/24"}, {"10.0.0.2"})), HasSubstr("--gateway 10.0.0.2"));
}

}  // namespace
}  // namespace millrace::nic
