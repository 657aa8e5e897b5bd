// Any bytes as the value of --allow, --refuse, --admin-listen or --cluster: taken or refused with a sentence, and what
// was taken is what it says.

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/values.h"
#include "fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using fuzz::require;
  const std::string text(reinterpret_cast<const char*>(data), size);
  config::Options options;
  for (const auto parse :
       {config::parse_allow, config::parse_refuse, config::parse_admin_listen, config::parse_cluster}) {
    const auto parsed = parse(text, options);
    require(parsed || !parsed.error().what.empty(), "a refusal says why");
  }
  for (const config::AccessRule& rule : options.access) {
    require(text.starts_with(rule.listener), "a rule names the listener that was written");
    for (const auto& prefix : rule.allow) {
      require(dataplane::IpPrefix::parse(prefix.text()) == prefix, "a network reads back: " + prefix.text());
    }
  }
  for (const config::ListenAddress& address : options.admin_listen) {
    require(address.port != 0 && !address.host.empty(), "administrators have a door");
  }
  for (const std::string& node : options.cluster_nodes) {
    require(node.find_first_of("\r\n ") == std::string::npos, "a node is one word of a line");
  }
  return 0;
}
