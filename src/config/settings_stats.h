// `stats settings`: memcached's names, our truth. Main thread, at start; a plain list, copied to whoever answers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/options.h"

namespace millrace::config {

/// `workers`: how many the plan made, `port`: the one that was bound (they differ from the wish with -p -1 and without
/// -t).
std::vector<std::pair<std::string, std::string>> settings_stats(const Options& options, std::uint32_t workers,
                                                                std::uint16_t port);
/// Before there is a plan: as asked for.
std::vector<std::pair<std::string, std::string>> settings_stats(const Options& options);

}  // namespace millrace::config
