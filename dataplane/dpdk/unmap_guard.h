// DPDK's interrupt thread, which sees that a memif peer went away, unmaps at once what that peer had shared, while a
// worker may be in a burst there (22.11). It has told workers before that the peer is gone, so that none begins another
// burst: all that is missing is that it waits for those that have begun.
//
// Threads: any. What waits is DPDK's interrupt thread, and nobody waits for it but who closes a port.
#pragma once

namespace millrace::dpdk {

/// From here on munmap() of this process waits kUnmapWaitUs when DPDK's interrupt thread calls it: longer than a burst
/// takes, even one whose thread was taken off its core meanwhile.
/// (Calling it is what links the guard in. Not with sanitizers, which have a munmap() of their own.)
void guard_unmaps() noexcept;

inline constexpr unsigned kUnmapWaitUs = 50'000;

}  // namespace millrace::dpdk
