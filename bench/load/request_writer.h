// Writes requests of the classic text protocol into a buffer its caller has made large enough. Pure; any thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "bench/load/operation.h"
#include "bench/load/workload.h"

namespace millrace::load {

class RequestWriter {
 public:
  explicit RequestWriter(const Workload& workload) noexcept : workload_(&workload) {}

  [[nodiscard]] std::size_t get_bytes(std::size_t keys) const noexcept {
    return 3 + keys * (1 + workload_->key_text.size()) + 2;
  }
  /// At most this many for a value of `value_bytes`: three numbers of up to ten digits, spaces and line ends.
  [[nodiscard]] std::size_t set_bytes_max(std::size_t value_bytes) const noexcept {
    return 4 + workload_->key_text.size() + 3 * 11 + 2 + value_bytes + 2;
  }

  [[nodiscard]] std::size_t bytes_max(const Request& request) const noexcept {
    switch (request.operation) {
      case Operation::MultiGet:
        return get_bytes(request.keys.size());
      case Operation::Set:
        return set_bytes_max(request.value_bytes);
      default:
        return get_bytes(1);
    }
  }

  char* write(const Request& request, char* out) const noexcept {
    switch (request.operation) {
      case Operation::MultiGet:
        return get(request.keys, out);
      case Operation::Set:
        return set(request.key, request.value_bytes, request.ttl_s, out);
      default:
        return get({&request.key, 1}, out);
    }
  }

  char* get(std::span<const std::uint64_t> keys, char* out) const noexcept {
    out = literal("get", out);
    for (const std::uint64_t key : keys) {
      *out++ = ' ';
      out = workload_->key_text.write(key, out);
    }
    return literal("\r\n", out);
  }

  char* set(std::uint64_t key, std::uint32_t value_bytes, std::uint32_t ttl_s, char* out) const noexcept {
    out = literal("set ", out);
    out = workload_->key_text.write(key, out);
    out = number(ValueText::flags_of(key), out);
    out = number(ttl_s, out);
    out = number(value_bytes, out);
    out = literal("\r\n", out);
    out = workload_->value_text.write(key, value_bytes, out);
    return literal("\r\n", out);
  }

 private:
  static char* literal(std::string_view text, char* out) noexcept {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  static char* number(std::uint32_t n, char* out) noexcept {
    *out++ = ' ';
    return std::to_chars(out, out + 10, n).ptr;
  }

  const Workload* workload_;
};

}  // namespace millrace::load
