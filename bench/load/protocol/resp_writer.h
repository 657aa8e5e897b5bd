// Writes requests in RESP, as arrays of bulk strings: what redis, valkey and their kin read. Pure; any thread.
// There are no client flags. Operations that can_say() denies are never asked.
#pragma once

#include <string_view>

#include "bench/load/operation.h"
#include "bench/load/protocol/number.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct RespWriter {
  static constexpr std::size_t kBytesPerRequest = 160;
  static constexpr std::size_t kBytesPerKey = 8;

  static char* write(const Workload& workload, const Request& request, char* out) noexcept {
    switch (request.operation) {
      case Operation::Get:
      case Operation::Gets:
        return key(workload, request.key, put("*2\r\n$3\r\nGET\r\n", out));
      case Operation::MultiGet:
        *out++ = '*';
        out = put_number(request.keys.size() + 1, out);
        out = put("\r\n$4\r\nMGET\r\n", out);
        for (const std::uint64_t one : request.keys) {
          out = key(workload, one, out);
        }
        return out;
      case Operation::Set:
      case Operation::Add:
      case Operation::Append:
      case Operation::Cas:
        return store(workload, request, out);
      case Operation::Delete:
        return key(workload, request.key, put("*2\r\n$3\r\nDEL\r\n", out));
      case Operation::Touch:
        return number(request.ttl_s, key(workload, request.key, put("*3\r\n$6\r\nEXPIRE\r\n", out)));
      case Operation::Incr:
        return put("$1\r\n1\r\n", key(workload, request.key, put("*3\r\n$6\r\nINCRBY\r\n", out)));
    }
    return out;
  }

 private:
  static char* store(const Workload& workload, const Request& request, char* out) noexcept {
    const bool is_add = request.operation == Operation::Add;
    *out++ = '*';
    *out++ = static_cast<char>('3' + (is_add ? 1 : 0) + (request.ttl_s > 0 ? 2 : 0));
    out = key(workload, request.key, put("\r\n$3\r\nSET\r\n", out));
    *out++ = '$';
    out = put("\r\n", put_number(request.value_bytes, out));
    out = put("\r\n", workload.value_text.write(request, out));
    if (request.ttl_s > 0) {
      out = number(request.ttl_s, put("$2\r\nEX\r\n", out));
    }
    return is_add ? put("$2\r\nNX\r\n", out) : out;
  }

  static char* key(const Workload& workload, std::uint64_t n, char* out) noexcept {
    *out++ = '$';
    out = put("\r\n", put_number(workload.key_text.size(n), out));
    return put("\r\n", workload.key_text.write(n, out));
  }

  static char* number(std::uint64_t n, char* out) noexcept {
    char digits[20];
    const std::string_view text(digits, static_cast<std::size_t>(put_number(n, digits) - digits));
    *out++ = '$';
    out = put("\r\n", put_number(text.size(), out));
    return put("\r\n", put(text, out));
  }
};

}  // namespace millrace::load
