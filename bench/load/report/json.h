// JSON (RFC 8259) as values: what the generator writes as its result and reads again to compare and merge. Cold.
// Members keep their order, so that a report reads in the order it was made. Whole numbers to 2^64 stay exact.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace millrace::load {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() noexcept = default;  ///< null
  Json(bool value) noexcept : value_(value) {}
  Json(double value) noexcept : value_(value) {}
  Json(std::uint64_t value) noexcept : value_(value) {}
  Json(std::uint32_t value) noexcept : value_(std::uint64_t{value}) {}
  Json(std::string value) noexcept : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) noexcept : value_(std::move(value)) {}
  Json(Object value) noexcept : value_(std::move(value)) {}

  static Result<Json> parse(std::string_view text);
  /// On one line, or with a member or element a line when `indent` is above 0; arrays of numbers stay on one.
  [[nodiscard]] std::string text(unsigned indent = 0) const;

  [[nodiscard]] bool is_null() const noexcept { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_object() const noexcept { return std::holds_alternative<Object>(value_); }

  // What is not there, or of another type, reads as the default: a result of another version stays readable.
  [[nodiscard]] bool flag(bool otherwise = false) const noexcept;
  [[nodiscard]] double number(double otherwise = 0) const noexcept;
  [[nodiscard]] std::uint64_t whole(std::uint64_t otherwise = 0) const noexcept;
  [[nodiscard]] std::string string(std::string_view otherwise = {}) const;
  [[nodiscard]] const Array& array() const noexcept;
  [[nodiscard]] const Object& object() const noexcept;
  /// A member of an object; null when it has none of this name, or is none.
  [[nodiscard]] const Json& operator[](std::string_view name) const noexcept;

  /// Makes this an object if it is none, and appends a member.
  Json& add(std::string name, Json value);
  /// Makes this an array if it is none, and appends an element.
  Json& push(Json value);

 private:
  std::variant<std::monostate, bool, std::uint64_t, double, std::string, Array, Object> value_;
};

}  // namespace millrace::load
