// What cores say to each other. Plain bytes in slots: a header, then what it announces: key, the dialect's extra,
// value. Thread: written by the sender into a reserved run, read by the receiver until it releases the run.
//
//   Ask     +------------- 48 --------------+-- key --+-- extra --+-- value --+     one run of 64-byte slots
//   Answer  +---------- 40 -----------+------------ bytes of the reply ------------+
//
// `token` is the asker's own and comes back as it went. An Ask with token 0 wants no answer.
#pragma once

#include <cstdint>

#include "mesh/slot_ring.h"

namespace millrace::mesh {

enum class AskKind : std::uint8_t {
  Execute = 1,  ///< run the command in `detail` on the key; the answer holds the reply's bytes
  Reserve,      ///< memory for a value that the asker is still receiving; the answer holds its reference
  Commit,       ///< the reserved memory is filled: make it the key's value
  Abort,        ///< the reserved memory is not needed; no answer
  Unpin,        ///< the lent value has been sent; no answer
  Visit,        ///< run the job at `token` on your partition, then say so
};

struct Ask {
  AskKind kind{};
  std::uint8_t detail = 0;  ///< the protocol's command
  std::uint16_t slots = 0;
  std::uint8_t key_bytes = 0;
  std::uint8_t extra_bytes = 0;
  std::uint8_t dialect = 0;  ///< the protocol's
  std::uint8_t unused = 0;
  std::uint64_t hash = 0;
  std::uint64_t token = 0;
  std::uint64_t number = 0;       ///< cas unique, delta; Reserve: bytes of the value to come
  std::uint32_t flags = 0;        ///< client flags; Reserve: 1 if the value brings a CAS number along
  std::uint32_t expires_at = 0;   ///< store seconds
  std::uint32_t value_bytes = 0;  ///< Execute: of the value in this run; Commit, Abort: of the reserved one
  std::uint32_t item = 0;         ///< Commit, Abort, Unpin: the item's reference
};
static_assert(sizeof(Ask) == 48);

enum class AnswerKind : std::uint8_t {
  Reply = 1,  ///< `bytes` of reply; a lent value goes behind them, and a CRLF behind that if `ends_line`
  Reserved,   ///< `item` is the asker's to fill; 0: refused with `outcome`
  Visited,
};

struct Answer {
  AnswerKind kind{};
  std::uint8_t outcome = 0;
  std::uint16_t slots = 0;
  std::uint32_t bytes = 0;
  std::uint64_t token = 0;
  std::uint32_t item = 0;         ///< a pinned item's reference (Reply) or a reserved one's; 0: none
  std::uint32_t value_bytes = 0;  ///< of the lent value
  const void* lent = nullptr;     ///< the pinned item; read only, until Unpin
  bool ends_line = false;         ///< with a lent value
  std::uint8_t unused[7] = {};
};
static_assert(sizeof(Answer) == 40);

/// Values up to this travel inside the message; larger ones are lent (get) or written in place (set). A copy of 1 KiB
/// costs less than the message that gives a loan back.
inline constexpr std::uint32_t kMessageValueBytesMax = 1024;
inline constexpr std::uint32_t kKeyBytesMax = 250;
/// Whatever dialect: a key in base64, an opaque, and a dozen numbers.
inline constexpr std::uint32_t kReplyLineBytesMax = 536;
inline constexpr std::uint32_t kExtraBytesMax = 128;

inline constexpr std::uint32_t kAskSlotsMax =
    slots_for(sizeof(Ask) + kKeyBytesMax + kExtraBytesMax + kMessageValueBytesMax);
inline constexpr std::uint32_t kAnswerSlotsMax = slots_for(sizeof(Answer) + kReplyLineBytesMax + kMessageValueBytesMax);

}  // namespace millrace::mesh
