// The file of a unix socket whose process has ended, which stands in the way of the next one's bind().
//
// Thread: any; at the start of a process. Between the look and the removal another process may take the path: whoever
// starts two servers on one path at once is told by bind(), or by a peer that finds the other.
#pragma once

#include <string>

#include "base/result.h"

namespace millrace {

/// Removes it. What is no socket stays, and so does one that a process has bound, whatever its kind: an error. Nothing
/// there is fine; a path with other faults is left to bind().
Result<void> remove_stale_socket(const std::string& path);

/// Whether a process has the socket at `path`, as far as we may know: false only when certainly nobody has.
[[nodiscard]] bool has_owner(const std::string& path);

}  // namespace millrace
