// Cold path's value-or-error. Any thread. `Error::what` is a sentence for the operator; only main prints it.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace millrace {

struct Error {
  std::string what;
};

template <typename T>
using Result = std::expected<T, Error>;

/// Makes the error side of a Result.
[[nodiscard]] inline std::unexpected<Error> fail(std::string what) {
  return std::unexpected<Error>(Error{std::move(what)});
}

}  // namespace millrace
