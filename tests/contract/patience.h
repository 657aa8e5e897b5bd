// Every wait of a test has an end: what it waits for, or a time that only something broken takes.
#pragma once

#include <chrono>

namespace millrace::contract {

inline constexpr std::chrono::seconds kPatience{10};

class Patience {
 public:
  [[nodiscard]] bool is_over() const { return std::chrono::steady_clock::now() > limit_; }

 private:
  std::chrono::steady_clock::time_point limit_ = std::chrono::steady_clock::now() + kPatience;
};

}  // namespace millrace::contract
