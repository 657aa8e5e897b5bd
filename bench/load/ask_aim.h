// Asks a server for its map before a load thread opens its connections. Cold; on the thread of the transport.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "bench/load/aim_map.h"
#include "dataplane/api/transport.h"

namespace millrace::load {

/// Over a connection of its own to `server`, a datagram endpoint; it is gone afterwards. Asked again when nothing
/// comes, until `patience` is lost.
Result<AimMap> ask_aim_map(dataplane::Transport& transport, Clock& clock, const dataplane::Endpoint& server,
                           Duration patience);

}  // namespace millrace::load
