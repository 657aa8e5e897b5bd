// Puts the calling thread on one CPU and makes sure that it is there.
//
// Thread: acts on the calling one; a worker calls it first thing. No ownership.
// Why the kernel's call and not hwloc's: hwloc would load a whole machine description for each thread to set one bit.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace millrace {

/// Pins the calling thread to `os_cpu` and verifies both the mask and where the thread runs.
Result<void> pin_this_thread(std::uint32_t os_cpu);

}  // namespace millrace
