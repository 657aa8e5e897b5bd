// Any text as a network of --udp-allow: what is taken says itself again in one way only, and contains its own address.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/api/ip_prefix.h"
#include "fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using millrace::dataplane::IpPrefix;
  using millrace::fuzz::require;
  const auto parsed = IpPrefix::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) {
    require(!parsed.error().what.empty(), "a refusal without a reason");
    return 0;
  }
  require(parsed->bits <= 128, "more bits than an address has");
  require(parsed->contains(parsed->address), "a network without its own address");
  const auto again = IpPrefix::parse(parsed->text());
  require(again.has_value() && *again == *parsed, "the text says another network");
  return 0;
}
