// Amounts of memory as an operator reads them. Any thread; pure.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

/// "512 B", "64.0 KiB", "1.5 GiB": the largest unit in which the number is at least 1.
std::string bytes_text(std::uint64_t bytes);

}  // namespace millrace
