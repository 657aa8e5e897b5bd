// Addresses from the command line to those of a host. Cold; pure.
#include <fmt/format.h>

#include <algorithm>

#include "dataplane/nic/nic.h"

namespace millrace::nic {

using dataplane::InterfaceAddress;

Result<ip::HostAddresses> host_addresses(const NicOptions& options, const wire::MacAddress& mac) {
  ip::HostAddresses host(mac);
  if (options.addresses.empty()) {
    return fail("a network card needs an address of its own, which nobody else has: --ip 10.0.0.2/24, say");
  }
  for (auto own = options.addresses.begin(); own != options.addresses.end(); ++own) {
    if (std::any_of(options.addresses.begin(), own,
                    [&](const InterfaceAddress& earlier) { return earlier.address == own->address; })) {
      return fail(fmt::format("--ip {}: that address is there twice; leave one out", own->text()));
    }
    const bool fits = host.add({.address = {own->address}, .prefix_bits = own->bits});
    if (!fits) {
      return fail(
          fmt::format("--ip {}: no host can have that address, or there are more than {}; give one of your "
                      "network's",
                      own->text(), ip::HostAddresses::kAddressesMax - 1));
    }
  }
  for (const InterfaceAddress& own : options.addresses) {
    if (host.is_broadcast({own.address})) {
      return fail(
          fmt::format("--ip {}: that is the network itself or everybody on it; give one host's address", own.text()));
    }
  }
  for (const dataplane::IpBytes& gateway : options.gateways) {
    if (!host.is_on_link({gateway}) || host.is_ours({gateway})) {
      return fail(
          fmt::format("--gateway {}: it is on none of the networks that --ip names; give a router's address "
                      "there",
                      dataplane::ip_text(gateway)));
    }
    if (!host.add_gateway({gateway})) {
      return fail(fmt::format("--gateway {}: that one cannot be used", dataplane::ip_text(gateway)));
    }
  }
  return host;
}

}  // namespace millrace::nic
