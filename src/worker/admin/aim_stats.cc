// `stats aim`. Without --udp-aim it says no more than that: the seed stays ours.

#include <string>

#include "worker/admin/jobs.h"

namespace millrace::worker {

void tell_aim(std::uint16_t port, std::uint32_t workers, std::uint64_t seed, AdminReply& reply) {
  reply.stat("enabled", std::string_view{port != 0 ? "yes" : "no"});
  if (port != 0) {
    reply.stat("port", port);
    reply.stat("workers", workers);
    reply.stat("hash", "xxh3_64");  // base/key_hash.h, as is the rule
    reply.stat("seed", seed);
    reply.stat("owner", "((hash>>48)*workers)>>16");
  }
  reply.end_stats();
}

}  // namespace millrace::worker
