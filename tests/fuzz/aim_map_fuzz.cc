// Any bytes as a server's answer to `stats aim`: what is taken as a map leads every key to a port that is there, and
// says the same map when it is written down again.

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bench/load/aim_map.h"
#include "fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using millrace::fuzz::require;
  const std::string_view answer(reinterpret_cast<const char*>(data), size);
  const auto map = millrace::load::read_aim_map(answer);
  if (!map) {
    require(map.error().what.starts_with("--aim: "), "a refusal without a reason");
    return 0;
  }
  require(map->workers > 0 && map->port > 0 && map->port + map->workers - 1 <= 65535, "ports that are not there");
  for (const std::string_view key : {std::string_view("a"), std::string_view("key:1"), answer}) {
    const std::uint32_t owner = map->owner(key);
    require(owner < map->workers && map->port_of(owner) == map->port + owner, "a key without an owner");
  }
  const auto again = millrace::load::read_aim_map(
      fmt::format("STAT enabled yes\r\nSTAT port {}\r\nSTAT workers {}\r\nSTAT hash xxh3_64\r\nSTAT seed {}\r\n"
                  "STAT owner ((hash>>48)*workers)>>16\r\nEND\r\n",
                  map->port, map->workers, map->seed));
  require(again.has_value() && *again == *map, "the text says another map");
  return 0;
}
