#include "dataplane/stack/spread_watch.h"

namespace millrace::stack {

std::optional<std::string> SpreadWatch::verdict() const {
  std::uint64_t looks = 0;
  std::uint64_t surprises = 0;
  std::size_t cores_with_any = 0;
  std::size_t last_with_any = 0;
  for (std::size_t core = 0; core < cores_.size(); ++core) {
    const std::uint64_t not_as_told = cores_[core].not_as_told.load(std::memory_order_relaxed);
    const std::uint64_t both = cores_[core].as_told.load(std::memory_order_relaxed) + not_as_told;
    looks += both;
    surprises += not_as_told;
    if (both > 0) {
      ++cores_with_any;
      last_with_any = core;
    }
  }
  if (looks < kLooksMin || surprises < looks / 4) {
    return std::nullopt;
  }
  const std::string counted = std::to_string(surprises) + " of " + std::to_string(looks) +
                              " datagrams looked at came on another queue than its hash and its table of flows say";
  if (cores_with_any == 1) {
    return counted + ", and all of them on queue " + std::to_string(last_with_any) +
           ": it does not spread flows over " + std::to_string(cores_.size()) +
           " queues as it says, and one core takes in the frames for all";
  }
  return counted + ": it spreads flows in a way of its own, and nobody can foretell whose core gets a frame";
}

}  // namespace millrace::stack
