// The order of the checks is memcached's, because it decides which error a request with two faults gets and whether the
// connection goes on: lengths that lie, then who asks, then a key that is too long, then the opcode and its shape.

#include "protocol/binary/parse.h"

#include "base/assert.h"
#include "protocol/binary/opcodes.h"
#include "protocol/limits.h"

namespace millrace::protocol::binary {
namespace {

/// Expiry with which incr and decr create nothing.
constexpr std::uint32_t kCreatesNothing = 0xffff'ffff;

[[nodiscard]] bool has_right_shape(const Header& header, const OpcodeFacts& facts) noexcept {
  const bool extras_fit = facts.extras_bytes == kDelay ? header.extras_bytes == 0 || header.extras_bytes == 4
                                                       : header.extras_bytes == facts.extras_bytes;
  if (!extras_fit || (!facts.has_value && value_bytes_of(header) != 0)) {
    return false;
  }
  switch (facts.key) {
    case KeyShape::NoKey:
      return header.key_bytes == 0;
    case KeyShape::Words:
      return true;
    case KeyShape::Key:
    case KeyShape::Mechanism:
      return header.key_bytes != 0;
  }
  return false;
}

[[nodiscard]] constexpr bool is_handshake(const OpcodeFacts& facts) noexcept {
  return facts.is_known && (facts.command == Command::Version || facts.command == Command::SaslList ||
                            facts.command == Command::SaslAuth || facts.command == Command::SaslStep);
}

[[nodiscard]] constexpr bool is_sasl(const OpcodeFacts& facts) noexcept {
  return is_handshake(facts) && facts.command != Command::Version;
}

constexpr HeaderVerdict kInvalid{.look = Look::Close, .status = Status::Invalid};

}  // namespace

HeaderVerdict check_header(const Header& header, Admission admission) noexcept {
  if (header.magic != kRequestMagic) {
    return {.look = Look::Hangup};
  }
  if (std::uint32_t{header.key_bytes} + header.extras_bytes > header.body_bytes) {
    return {.look = Look::Close, .status = Status::UnknownCommand};
  }
  const OpcodeFacts& facts = facts_of(header.opcode);
  if (admission == Admission::Wanted && !is_handshake(facts)) {
    return {.look = Look::Close, .status = Status::AuthError};
  }
  if (header.key_bytes > kKeyBytesMax) {
    return kInvalid;
  }
  if (!facts.is_known) {
    return {.look = Look::Refuse, .status = Status::UnknownCommand, .swallow_bytes = header.body_bytes};
  }
  if (!has_right_shape(header, facts)) {
    return kInvalid;
  }
  if (is_sasl(facts)) {
    if (admission == Admission::None) {
      return {.look = Look::Refuse, .status = Status::UnknownCommand, .swallow_bytes = header.body_bytes};
    }
    if (header.key_bytes > kMechanismBytesMax || value_bytes_of(header) > kSaslBytesMax) {
      return kInvalid;
    }
  }
  return {};
}

void parse(const Header& header, std::string_view body, Request& request, Args& args) noexcept {
  MR_DCHECK(body.size() == std::size_t{header.extras_bytes} + header.key_bytes);
  const OpcodeFacts& facts = facts_of(header.opcode);
  const char* const extras = body.data();
  args = {.cas = header.cas, .opaque = header.opaque, .opcode = header.opcode};
  request.command = facts.command;
  request.key = body.substr(header.extras_bytes);
  request.value_bytes = facts.has_value ? value_bytes_of(header) : 0;
  switch (facts.command) {
    case Command::Set:
    case Command::Add:
    case Command::Replace:
      request.flags = load_big<std::uint32_t>(extras);
      request.exptime = load_big<std::uint32_t>(extras + 4);  // unsigned: there is no negative time here
      break;
    case Command::Incr:
    case Command::Decr: {
      request.number = load_big<std::uint64_t>(extras);
      args.initial = load_big<std::uint64_t>(extras + 8);
      const auto expiry = load_big<std::uint32_t>(extras + 16);
      args.creates = expiry != kCreatesNothing;
      request.exptime = expiry;
      break;
    }
    case Command::Touch:
    case Command::Gat:
      request.exptime = load_big<std::uint32_t>(extras);
      break;
    case Command::FlushAll:
      request.has_argument = header.extras_bytes != 0;
      request.exptime = request.has_argument ? load_big<std::uint32_t>(extras) : 0;
      break;
    default:
      break;
  }
}

}  // namespace millrace::protocol::binary
