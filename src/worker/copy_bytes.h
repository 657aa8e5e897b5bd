// Copying what a view shows. Any thread; owns nothing. An empty view may point nowhere, which memcpy does not allow.
#pragma once

#include <cstring>
#include <string_view>

#include "base/attributes.h"

namespace millrace::worker {

MR_ALWAYS_INLINE void copy_bytes(void* to, std::string_view from) noexcept {
  if (!from.empty()) {
    std::memcpy(to, from.data(), from.size());
  }
}

}  // namespace millrace::worker
