// What is to be done to one key, whoever asked and in which dialect; and how the text dialect tells an outcome.
//
// Thread: the partition's owner. Ownership: views, for one operation.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/binary/write.h"
#include "protocol/meta/args.h"
#include "protocol/reply.h"
#include "protocol/request.h"
#include "store/partition.h"

namespace millrace::worker {

struct Operation {
  protocol::Command command{};
  protocol::Dialect dialect = protocol::Dialect::Text;
  store::Key key;
  std::uint32_t flags = 0;
  store::Seconds expires_at = store::kNever;
  std::uint64_t number = 0;
  std::string_view extra{};  ///< the dialect's
  std::string_view value{};
};

/// The store's word for a storing command.
[[nodiscard]] constexpr store::StoreMode store_mode(protocol::Command command) noexcept {
  switch (command) {
    case protocol::Command::Add:
      return store::StoreMode::Add;
    case protocol::Command::Replace:
      return store::StoreMode::Replace;
    case protocol::Command::Append:
      return store::StoreMode::Append;
    case protocol::Command::Prepend:
      return store::StoreMode::Prepend;
    case protocol::Command::Cas:
      return store::StoreMode::Cas;
    default:
      return store::StoreMode::Set;
  }
}

/// The line that says how a change ended.
[[nodiscard]] constexpr std::string_view outcome_line(store::Outcome outcome) noexcept {
  switch (outcome) {
    case store::Outcome::Stored:
      return protocol::reply::kStored;
    case store::Outcome::NotStored:
      return protocol::reply::kNotStored;
    case store::Outcome::Exists:
      return protocol::reply::kExists;
    case store::Outcome::NotFound:
      return protocol::reply::kNotFound;
    case store::Outcome::TooLarge:
      return protocol::reply::kTooLarge;
    case store::Outcome::OutOfMemory:
      return protocol::reply::kOutOfMemoryStoring;
    case store::Outcome::NotNumeric:
      return protocol::reply::kNotNumeric;
    case store::Outcome::Deleted:
      return protocol::reply::kDeleted;
    case store::Outcome::Touched:
      return protocol::reply::kTouched;
  }
  return protocol::reply::kError;
}

/// Its item needs room for a CAS number of the client's.
[[nodiscard]] inline bool brings_cas(const protocol::Request& request) noexcept {
  return request.dialect == protocol::Dialect::Meta &&
         protocol::meta::read_extra(request.extra()).args.has(protocol::meta::given::kNewCas);
}

/// Why a value was not taken, before anything of it was stored. `room` is for those words that have to be written.
using RefusalRoom = std::array<char, protocol::binary::kErrorBytesMax>;
[[nodiscard]] std::string_view refusal_line(const protocol::Request& request, store::Outcome outcome,
                                            RefusalRoom& room) noexcept;

}  // namespace millrace::worker
