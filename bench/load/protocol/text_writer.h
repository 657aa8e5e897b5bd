// Writes requests in the classic text protocol. Pure; any thread.
#pragma once

#include <string_view>

#include "bench/load/operation.h"
#include "bench/load/protocol/number.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct TextWriter {
  /// Beside keys and value: the longest command word, four numbers, spaces and line ends.
  static constexpr std::size_t kBytesPerRequest = 80;
  static constexpr std::size_t kBytesPerKey = 1;

  static char* write(const Workload& workload, const Request& request, char* out) noexcept {
    switch (request.operation) {
      case Operation::Get:
        return put("\r\n", workload.key_text.write(request.key, put("get ", out)));
      case Operation::MultiGet:
        out = put("get", out);
        for (const std::uint64_t key : request.keys) {
          *out++ = ' ';
          out = workload.key_text.write(key, out);
        }
        return put("\r\n", out);
      case Operation::Gets:
        return put("\r\n", workload.key_text.write(request.key, put("gets ", out)));
      case Operation::Set:
        return store("set ", workload, request, out);
      case Operation::Add:
        return store("add ", workload, request, out);
      case Operation::Append:
        return store("append ", workload, request, out);
      case Operation::Cas:
        return store("cas ", workload, request, out);
      case Operation::Delete:
        return put("\r\n", workload.key_text.write(request.key, put("delete ", out)));
      case Operation::Touch:
        out = workload.key_text.write(request.key, put("touch ", out));
        *out++ = ' ';
        return put("\r\n", put_number(request.ttl_s, out));
      case Operation::Incr:
        return put(" 1\r\n", workload.key_text.write(request.key, put("incr ", out)));
    }
    return out;
  }

 private:
  static char* store(std::string_view verb, const Workload& workload, const Request& request, char* out) noexcept {
    out = workload.key_text.write(request.key, put(verb, out));
    out = word(workload.value_text.flags_of(request.key), out);
    out = word(request.ttl_s, out);
    out = word(request.value_bytes, out);
    if (request.operation == Operation::Cas) {
      out = word(request.unique, out);
    }
    return put("\r\n", workload.value_text.write(request, put("\r\n", out)));
  }

  static char* word(std::uint64_t n, char* out) noexcept {
    *out++ = ' ';
    return put_number(n, out);
  }
};

}  // namespace millrace::load
