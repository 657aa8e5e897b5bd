// Relations between options: what is wrong, or worth a note, only in company. Any thread; pure.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "config/options.h"
#include "config/parse_cli.h"

namespace millrace::config {

/// Errs on what cannot work; adds notes on what may not be as the operator expects.
Result<void> validate(Options& options, const ProcessFacts& process);

/// The ports of --udp-aim, once it is known how many workers there are.
Result<void> check_aim_ports(const Options& options, std::uint32_t workers);

}  // namespace millrace::config
