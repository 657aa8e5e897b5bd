// Who makes which backends; each list in the file of its name.
#pragma once

#include <vector>

#include "tests/contract/backend.h"
#include "tests/contract/datagram_backend.h"

namespace millrace::contract {

std::vector<BackendMaker> uring_backends();
std::vector<BackendMaker> composed_backends();
std::vector<DatagramBackendMaker> uring_datagram_backends();
std::vector<DatagramBackendMaker> stack_datagram_backends();

}  // namespace millrace::contract
