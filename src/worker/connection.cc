#include "worker/connection.h"

namespace millrace::worker {

Connection& ConnectionTable::add(ConnId id, const protocol::SessionOptions& options) {
  MR_ASSERT(id.slot < slots_.size() && slots_[id.slot] == nullptr);
  slots_[id.slot] = std::make_unique<Connection>(id, options);
  ++count_;
  return *slots_[id.slot];
}

void ConnectionTable::remove(ConnId id) noexcept {
  MR_ASSERT(find(id) != nullptr);
  slots_[id.slot].reset();
  --count_;
}

}  // namespace millrace::worker
