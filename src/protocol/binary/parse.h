// What a binary request means. Two looks: at the header, which says whether the request can be and how much has to be
// here before the second; then at extras and key. Framing (what is not all here, what is passed over) is the session's.
// Pure; any thread. Views go into the bytes given.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/binary/header.h"
#include "protocol/binary/status_codes.h"
#include "protocol/request.h"

namespace millrace::protocol::binary {

/// What a binary request has beside the common fields. It travels with the request to the owner of the key, who writes
/// the reply. Plain bytes.
struct Args {
  std::uint64_t cas = 0;      ///< 0: no comparison
  std::uint64_t initial = 0;  ///< Incr, Decr: what a missing number becomes, if `creates`
  std::uint32_t opaque = 0;
  std::uint8_t opcode = 0;  ///< as it came: the reply says it again
  bool creates = false;
  std::uint16_t unused = 0;
};
static_assert(sizeof(Args) == 24);

enum class Look : std::uint8_t {
  Goes,    ///< parse() it when kHeaderBytes, extras and key are here
  Refuse,  ///< answer `status`, then pass over `swallow_bytes` behind the header
  Close,   ///< answer `status` and close
  Hangup,  ///< close without a word: not our protocol
};

struct HeaderVerdict {
  Look look = Look::Goes;
  Status status = Status::Ok;
  std::uint32_t swallow_bytes = 0;
};

/// Who may ask for what. None: nobody has to authenticate, and SASL is unknown.
enum class Admission : std::uint8_t {
  None,
  Wanted,
  Given
};

/// Longest SASL message: it is kept whole until it is read, by a connection that may be anybody's.
inline constexpr std::uint32_t kSaslBytesMax = 1024;
inline constexpr std::uint32_t kMechanismBytesMax = 32;

[[nodiscard]] HeaderVerdict check_header(const Header& header, Admission admission) noexcept;

[[nodiscard]] constexpr std::uint32_t value_bytes_of(const Header& header) noexcept {
  return header.body_bytes - header.extras_bytes - header.key_bytes;
}

/// `body` is extras and key, of a header that goes. Writes all of `request` but its value, and `args`.
void parse(const Header& header, std::string_view body, Request& request, Args& args) noexcept;

}  // namespace millrace::protocol::binary
