// How a transport tells counters that only it knows: a visitor is told each with its name.
//
// Thread: the transport's. Ownership: names live as long as the process. The same transport tells the same names in the
// same order each time.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::dataplane {

enum class CounterKind : std::uint8_t {
  Drop,   ///< frames that went no further, for the reason that the name says
  Stack,  ///< what else our own network stack counts
  Queue,  ///< of the worker's queue pair of a device
};

class CounterVisitor {
 public:
  virtual void visit(CounterKind kind, std::string_view name, std::uint64_t value) noexcept = 0;

 protected:
  ~CounterVisitor() = default;
};

}  // namespace millrace::dataplane
