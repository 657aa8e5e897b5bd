#include "tests/contract/backends.h"

namespace millrace::contract {
namespace {

template <typename Maker>
std::vector<Maker> joined(std::vector<Maker> first, const std::vector<Maker>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

const std::vector<BackendMaker>& backends() {
  static const std::vector<BackendMaker> all = joined(uring_backends(), composed_backends());
  return all;
}

const std::vector<DatagramBackendMaker>& datagram_backends() {
  static const std::vector<DatagramBackendMaker> all = joined(uring_datagram_backends(), stack_datagram_backends());
  return all;
}

}  // namespace millrace::contract
