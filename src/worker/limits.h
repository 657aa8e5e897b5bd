// Every bound of a worker's life, with its reason. Compile-time; any thread.
#pragma once

#include <cstdint>

#include "mesh/message.h"
#include "protocol/limits.h"
#include "protocol/reply.h"
#include "protocol/udp_frame.h"
#include "store/limits.h"

namespace millrace::worker {

/// Events taken from the transport in a turn: enough for one of each of 64 busy connections and their send completions.
inline constexpr std::uint32_t kEventsPerTurnMax = 128;
/// Requests executed together. Each has two to four cache misses in flight, and a core a dozen or two line-fill
/// buffers: beyond those, more gain by waiting less often for a batch's first lines.
inline constexpr std::uint32_t kBatchOpsMax = 128;
/// Neighbours' asks prefetched together.
inline constexpr std::uint32_t kAsksPerGroupMax = 32;
/// Neighbours' asks executed per lane and turn, so that one neighbour cannot keep a core from its own connections.
inline constexpr std::uint32_t kAsksPerLaneMax = 512;
/// How long a turn executes asks of all neighbours, and a group more: sets into a full store may take microseconds
/// each. Who was not heard goes first in the next turn.
inline constexpr std::uint32_t kAsksTimeMaxUs = 250;

/// One reply buffer. Replies of many connections share one, so it is as large as a turn's small replies.
inline constexpr std::uint32_t kTxBufferBytes = 32 * 1024;
/// A value up to this is copied into the reply; a larger one is lent, which costs a pin, its end, and two more slices
/// in the kernel's gather list.
inline constexpr std::uint32_t kCopiedValueBytesMax = 4096;
static_assert(kCopiedValueBytesMax + 1024 < kTxBufferBytes);

/// A value that arrives in pieces is gathered in the connection up to this size; a larger one goes straight into the
/// item.
inline constexpr std::uint32_t kGatheredValueBytesMax = mesh::kMessageValueBytesMax;

/// What the replies of all connections may take of the heap together, with those that neighbours are still making.
/// Above it a connection is read only when none of its replies is waiting, and then one request at a time: so each adds
/// at most one reply to it.
inline constexpr std::uint64_t kReplyMemoryMax = std::uint64_t{32} << 20;
/// A longer text of an administrator's command is not said while replies take that much.
inline constexpr std::uint32_t kTightTextBytesMax = 16 * 1024;

/// Memory for a value up to this is reserved when it is asked for; for a larger one in steps, so many a turn, or one
/// that had to take memory from somebody.
inline constexpr std::uint32_t kReservedAtOnceBytesMax = store::kPageBytesMax;
inline constexpr std::uint32_t kReserveStepsMax = 8;

/// What a connection may have waiting before its requests are left unread.
inline constexpr std::uint32_t kUnsentBytesMax = 128 * 1024;
inline constexpr std::uint32_t kUnsentNodesMax = 1024;
/// Values lent to one connection's replies: a client that never reads can pin only so many items.
inline constexpr std::uint32_t kLentValuesMax = 8;

/// Slices gathered into one send; beyond a few small ones a copy is cheaper.
inline constexpr std::uint32_t kSlicesPerSendMax = 64;
inline constexpr std::uint32_t kSlicesBeforeCopy = 4;

/// Request datagrams of a worker that wait for something (a neighbour, a job, the transport); more are dropped.
inline constexpr std::uint32_t kExchangesMax = 1024;
/// What the answer to one datagram may come to before it is refused: it is whole before its first byte is sent.
inline constexpr std::uint32_t kExchangeBytesMax = 256 * 1024;
inline constexpr std::uint32_t kExchangeNodesMax = 4096;
inline constexpr std::uint32_t kExchangeLentValuesMax = 64;
/// Datagrams of one answer sent in a turn, and waiting for Released: others want to be served as well.
inline constexpr std::uint32_t kDatagramsPerTurnMax = 32;
inline constexpr std::uint32_t kDatagramsLentMax = 64;
/// A value up to this is copied into a datagram that leaves in the same turn.
inline constexpr std::uint32_t kDatagramValueBytesMax = 1024;
/// A piece of a value shorter than this is copied together with what stands before it.
inline constexpr std::uint32_t kDatagramSliceBytesMin = 256;
inline constexpr std::uint32_t kSlicesPerDatagramMax = 16;
/// A turn's datagrams before they are handed to the transport.
inline constexpr std::uint32_t kDatagramScratchBytes = 64 * 1024;
inline constexpr std::uint32_t kDatagramSlicesMax = 512;
static_assert(protocol::kUdpHeaderBytes + protocol::kValueLineBytesMax + kDatagramValueBytesMax + 2 + 5 <=
              protocol::kUdpDatagramBytesMax);
// Between two slices of a value that are not copied stands at most one that is.
static_assert(2 * (protocol::kUdpBodyBytesMax / kDatagramSliceBytesMin + 1) + 1 <= kSlicesPerDatagramMax);

/// Keys copied out of a connection's carry, and dialects' extras, for the length of a batch.
inline constexpr std::uint32_t kBatchKeyBytes = 8192;
static_assert(kBatchKeyBytes >= 4 * (protocol::kKeyBytesMax + protocol::kExtraBytesMax));
static_assert(mesh::kKeyBytesMax >= protocol::kKeyBytesMax && mesh::kExtraBytesMax >= protocol::kExtraBytesMax);
static_assert(mesh::kReplyLineBytesMax >= protocol::kValueLineBytesMax);

/// Items looked at by store housekeeping in one turn: a dead one takes 0.3 us, and ten where memory is slow. And how
/// often: turns of a few microseconds would spend a tenth of themselves on it.
inline constexpr std::uint32_t kHousekeepItems = 32;
inline constexpr std::uint32_t kHousekeepEveryUs = 100;
/// As many as memcached lets watch.
inline constexpr std::uint32_t kWatchersMax = 20;
/// Lines that wait on a worker to be brought to another whose clients watch; more are dropped.
inline constexpr std::uint32_t kWatchLogBytesMax = 64 * 1024;
/// A dump's or a crawl's step, on one core: slots looked at, and text made of them. Some tens of microseconds.
inline constexpr std::uint32_t kStepSlotsMax = 256;
inline constexpr std::uint32_t kStepBytesMax = 16 * 1024;
/// Slots of the connection table looked at for the idle timeout in a turn that slept (there are five a second), and in
/// one that had something to do or spins.
inline constexpr std::uint32_t kIdleScanRested = 4096;
inline constexpr std::uint32_t kIdleScanBusy = 32;
/// How long the transport may take at the end to let go of connections that were aborted.
inline constexpr std::int64_t kAbortLimitMs = 500;
/// Longest sleep: timeouts, delayed flush_all and housekeeping need a turn now and then.
inline constexpr std::int64_t kSleepMs = 200;

}  // namespace millrace::worker
