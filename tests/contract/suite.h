// The fixture of the contract suite: one backend, one transport of it, a driver as its worker.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "tests/contract/backend.h"
#include "tests/contract/driver.h"
#include "tests/contract/random.h"
#include "tests/support/seed.h"

namespace millrace::contract {

class TransportContract : public testing::TestWithParam<BackendMaker> {
 protected:
  void SetUp() override { start({}); }

  /// Makes the transport anew.
  void start(const Wanted& wanted) {
    driver.reset();
    transport.reset();
    backend = GetParam().make();
    transport = backend->make(wanted);
    if (transport == nullptr) {
      GTEST_SKIP() << "this host has no " << GetParam().name;
    }
    driver = std::make_unique<Driver>(*transport);
    // Peers may connect before the first poll of a test: let the transport listen.
    driver->poll();
  }

  Peer connect_peer() {
    Peer peer = Peer::unconnected(backend->endpoint());
    EXPECT_TRUE(peer.connect(backend->endpoint())) << std::strerror(errno);
    return peer;
  }

  /// Closes everything that is open, and looks at what is left over.
  void finish() {
    for (const ConnId conn : driver->open_connections()) {
      driver->abort(conn);
    }
    EXPECT_TRUE(driver->until([&] { return transport->counters().connections_open == 0; }));
    driver->expect_no_leaks();
  }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<dataplane::Transport> transport;
  std::unique_ptr<Driver> driver;
  std::mt19937_64 random{tests::test_seed()};
};

}  // namespace millrace::contract
