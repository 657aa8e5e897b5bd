// Writes requests in memcached's binary protocol. Pure; any thread.
#pragma once

#include <cstring>

#include "bench/load/operation.h"
#include "bench/load/protocol/binary_header.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct BinaryWriter {
  static constexpr std::size_t kBytesPerRequest = 2 * binary::kHeaderBytes + 20;
  static constexpr std::size_t kBytesPerKey = binary::kHeaderBytes;

  static char* write(const Workload& workload, const Request& request, char* out) noexcept {
    using binary::put_be;
    char* const extras = out + binary::kHeaderBytes;
    char* key = extras;
    switch (request.operation) {
      case Operation::Get:
      case Operation::Gets:
      case Operation::Append:
      case Operation::Delete:
        break;
      case Operation::MultiGet:
        return multiget(workload, request, out);
      case Operation::Set:
      case Operation::Add:
      case Operation::Cas:
        key = put_be(request.ttl_s, put_be(workload.value_text.flags_of(request.key), key));
        break;
      case Operation::Touch:
        key = put_be(request.ttl_s, key);
        break;
      case Operation::Incr:
        // By 1, made with 0 when it is not there, for ever.
        key = put_be(std::uint32_t{0}, put_be(std::uint64_t{0}, put_be(std::uint64_t{1}, key)));
        break;
    }
    char* const value = workload.key_text.write(request.key, key);
    char* const end = is_store(request.operation) ? workload.value_text.write(request, value) : value;
    head(binary::opcode_of(request.operation), extras, key, value, end, request.unique, out);
    return end;
  }

 private:
  static char* multiget(const Workload& workload, const Request& request, char* out) noexcept {
    for (const std::uint64_t one : request.keys) {
      char* const key = out + binary::kHeaderBytes;
      char* const end = workload.key_text.write(one, key);
      head(binary::Opcode::GetKeyQuietly, key, key, end, end, 0, out);
      out = end;
    }
    char* const end = out + binary::kHeaderBytes;
    head(binary::Opcode::Noop, end, end, end, end, 0, out);
    return end;
  }

  static void head(binary::Opcode opcode, const char* extras, const char* key, const char* value, const char* end,
                   std::uint64_t unique, char* out) noexcept {
    using binary::put_be;
    std::memset(out, 0, binary::kHeaderBytes);
    out[0] = static_cast<char>(binary::kRequest);
    out[1] = static_cast<char>(opcode);
    put_be(static_cast<std::uint16_t>(value - key), out + 2);
    out[4] = static_cast<char>(key - extras);
    put_be(static_cast<std::uint32_t>(end - extras), out + 8);
    put_be(unique, out + 16);
  }
};

}  // namespace millrace::load
