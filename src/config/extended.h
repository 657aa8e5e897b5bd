// The words of -o: "idle_timeout=60,no_hashexpand". Any thread; pure.
#pragma once

#include <string>

#include "base/result.h"
#include "config/options.h"

namespace millrace::config {

/// A comma-separated list of words, each with or without =value.
Result<void> parse_extended(const std::string& text, Options& options);

Result<void> parse_ext_slab_sizes(const std::string& text, Options& options);
Result<void> parse_ext_hash_algorithm(const std::string& text, Options& options);
Result<void> parse_ext_slab_automove(const std::string& text, Options& options);

}  // namespace millrace::config
