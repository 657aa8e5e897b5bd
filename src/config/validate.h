// Relations between options: what is wrong, or worth a note, only in company. Any thread; pure.
#pragma once

#include "base/result.h"
#include "config/options.h"
#include "config/parse_cli.h"

namespace millrace::config {

/// Errs on what cannot work; adds notes on what may not be as the operator expects.
Result<void> validate(Options& options, const ProcessFacts& process);

}  // namespace millrace::config
