// `stats aim`. Without --udp-aim it says no more than that: the seed stays ours.

#include <string>

#include "worker/admin/jobs.h"
#include "worker/admin/stat_lines.h"

namespace millrace::worker {

std::string aim_text(std::uint16_t port, std::uint32_t workers, std::uint64_t seed) {
  StatLines out;
  out.add("enabled", port != 0 ? "yes" : "no");
  if (port != 0) {
    out.add("port", port);
    out.add("workers", workers);
    out.add("hash", "xxh3_64");  // base/key_hash.h, as is the rule
    out.add("seed", seed);
    out.add("owner", "((hash>>48)*workers)>>16");
  }
  return std::move(out).end();
}

}  // namespace millrace::worker
