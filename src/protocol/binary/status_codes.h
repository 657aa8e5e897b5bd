// What a binary reply says of how it went, and memcached's words for it, which are the body of an error. Compile-time;
// any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::protocol::binary {

enum class Status : std::uint16_t {
  Ok = 0x00,
  NotFound = 0x01,
  Exists = 0x02,
  TooLarge = 0x03,
  Invalid = 0x04,
  NotStored = 0x05,
  NotNumeric = 0x06,
  AuthError = 0x20,
  AuthContinue = 0x21,
  UnknownCommand = 0x81,
  OutOfMemory = 0x82,
};

[[nodiscard]] constexpr std::string_view words_of(Status status) noexcept {
  switch (status) {
    case Status::Ok:
    case Status::AuthContinue:
      return {};
    case Status::NotFound:
      return "Not found";
    case Status::Exists:
      return "Data exists for key.";
    case Status::TooLarge:
      return "Too large.";
    case Status::Invalid:
      return "Invalid arguments";
    case Status::NotStored:
      return "Not stored.";
    case Status::NotNumeric:
      return "Non-numeric server-side value for incr or decr";
    case Status::AuthError:
      return "Auth failure.";
    case Status::UnknownCommand:
      return "Unknown command";
    case Status::OutOfMemory:
      return "Out of memory";
  }
  return {};
}

}  // namespace millrace::protocol::binary
