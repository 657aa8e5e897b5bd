// Writes requests as memcached's meta commands. Pure; any thread.
// Flags asked of a get: f (client flags) and v (the value), as the classic get has them. Several keys are quiet mg
// lines, which name their key (k) and say nothing of a miss, with an mn behind them.
#pragma once

#include <string_view>

#include "bench/load/operation.h"
#include "bench/load/protocol/number.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct MetaWriter {
  static constexpr std::size_t kBytesPerRequest = 96;
  static constexpr std::size_t kBytesPerKey = 16;

  static char* write(const Workload& workload, const Request& request, char* out) noexcept {
    switch (request.operation) {
      case Operation::Get:
        return put(" f v\r\n", workload.key_text.write(request.key, put("mg ", out)));
      case Operation::MultiGet:
        for (const std::uint64_t key : request.keys) {
          out = put(" f k q v\r\n", workload.key_text.write(key, put("mg ", out)));
        }
        return put("mn\r\n", out);
      case Operation::Gets:
        return put(" c f v\r\n", workload.key_text.write(request.key, put("mg ", out)));
      case Operation::Set:
        return store("", workload, request, out);
      case Operation::Add:
        return store(" ME", workload, request, out);
      case Operation::Append:
        return store(" MA", workload, request, out);
      case Operation::Cas:
        return store(" C", workload, request, out);
      case Operation::Delete:
        return put("\r\n", workload.key_text.write(request.key, put("md ", out)));
      case Operation::Touch:
        out = put(" T", workload.key_text.write(request.key, put("mg ", out)));
        return put("\r\n", put_number(request.ttl_s, out));
      case Operation::Incr:
        // Made with 0 when it is not there.
        return put(" N0 J0 v\r\n", workload.key_text.write(request.key, put("ma ", out)));
    }
    return out;
  }

 private:
  static char* store(std::string_view flag, const Workload& workload, const Request& request, char* out) noexcept {
    out = workload.key_text.write(request.key, put("ms ", out));
    *out++ = ' ';
    out = put_number(request.value_bytes, out);
    out = put_number(workload.value_text.flags_of(request.key), put(" F", out));
    out = put_number(request.ttl_s, put(" T", out));
    out = put(flag, out);
    if (request.operation == Operation::Cas) {
      out = put_number(request.unique, out);
    }
    return put("\r\n", workload.value_text.write(request, put("\r\n", out)));
  }
};

}  // namespace millrace::load
