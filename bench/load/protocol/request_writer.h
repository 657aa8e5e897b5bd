// Writes requests in the workload's protocol, into a buffer its caller has made large enough. Pure; any thread.
// One switch a request; what is below it is chosen at compile time.
#pragma once

#include <cstddef>

#include "bench/load/operation.h"
#include "bench/load/protocol/binary_writer.h"
#include "bench/load/protocol/meta_writer.h"
#include "bench/load/protocol/protocol.h"
#include "bench/load/protocol/resp_writer.h"
#include "bench/load/protocol/text_writer.h"
#include "bench/load/workload.h"

namespace millrace::load {

class RequestWriter {
 public:
  /// `workload` outlives this.
  explicit RequestWriter(const Workload& workload) noexcept : workload_(&workload) {}

  /// No request of so many keys, with a value of so many bytes, is longer.
  [[nodiscard]] std::size_t bytes_max(std::size_t keys, std::size_t value_bytes) const noexcept {
    const auto [per_request, per_key] = overhead();
    return per_request + keys * (per_key + workload_->key_text.size_max()) + value_bytes;
  }
  [[nodiscard]] std::size_t bytes_max(const Request& request) const noexcept {
    return bytes_max(request.operation == Operation::MultiGet ? request.keys.size() : 1,
                     is_store(request.operation) ? request.value_bytes : 0);
  }

  char* write(const Request& request, char* out) const noexcept {
    switch (workload_->protocol) {
      case Protocol::Text:
        return TextWriter::write(*workload_, request, out);
      case Protocol::Meta:
        return MetaWriter::write(*workload_, request, out);
      case Protocol::Binary:
        return BinaryWriter::write(*workload_, request, out);
      case Protocol::Resp:
        return RespWriter::write(*workload_, request, out);
    }
    return out;
  }

 private:
  struct Overhead {
    std::size_t per_request;
    std::size_t per_key;
  };
  template <typename Writer>
  static constexpr Overhead of() noexcept {
    return {Writer::kBytesPerRequest, Writer::kBytesPerKey};
  }
  [[nodiscard]] Overhead overhead() const noexcept {
    switch (workload_->protocol) {
      case Protocol::Text:
        break;
      case Protocol::Meta:
        return of<MetaWriter>();
      case Protocol::Binary:
        return of<BinaryWriter>();
      case Protocol::Resp:
        return of<RespWriter>();
    }
    return of<TextWriter>();
  }

  const Workload* workload_;
};

}  // namespace millrace::load
