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
  explicit RequestWriter(const Workload& workload) noexcept : workload_(&workload) {
    switch (workload.protocol) {
      case Protocol::Text:
        set_overhead<TextWriter>();
        break;
      case Protocol::Meta:
        set_overhead<MetaWriter>();
        break;
      case Protocol::Binary:
        set_overhead<BinaryWriter>();
        break;
      case Protocol::Resp:
        set_overhead<RespWriter>();
        break;
    }
  }

  /// No request of so many keys, with a value of so many bytes, is longer.
  [[nodiscard]] std::size_t bytes_max(std::size_t keys, std::size_t value_bytes) const noexcept {
    return bytes_per_request_ + keys * bytes_per_key_ + value_bytes;
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
  template <typename Writer>
  void set_overhead() noexcept {
    bytes_per_request_ = Writer::kBytesPerRequest;
    bytes_per_key_ = Writer::kBytesPerKey + workload_->key_text.size_max();
  }

  const Workload* workload_;
  std::size_t bytes_per_request_ = 0;
  std::size_t bytes_per_key_ = 0;
};

}  // namespace millrace::load
