// What an administrator's command says, as binary packets: a statistic is one, the end of them an empty one. Cold.
// Thread: the home worker's. Ownership: owns its bytes until take().
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "protocol/binary/write.h"
#include "worker/admin_reply.h"

namespace millrace::worker {

class BinaryReply final : public AdminReply {
 public:
  explicit BinaryReply(protocol::binary::Asked asked) : asked_(asked) {}

  using AdminReply::stat;
  void stat(std::string_view name, std::string_view value) override {
    protocol::binary::append_stat(packets_, asked_, name, value);
  }
  void end_stats() override { protocol::binary::append_stat(packets_, asked_, {}, {}); }
  /// Lines have no packet of their own: OK and RESET are the empty one, an error is NotFound, and the prefixes of
  /// `stats detail dump` are one statistic, as in memcached.
  void line(std::string_view text) override { lines_.append(text); }

  [[nodiscard]] std::string take() override {
    const std::string lines = std::exchange(lines_, {});
    if (lines.empty()) {
      return std::exchange(packets_, {});
    }
    if (lines.starts_with("ERROR") || lines.starts_with("CLIENT_ERROR") || lines.starts_with("SERVER_ERROR")) {
      return protocol::binary::error_reply(asked_, protocol::binary::Status::NotFound);
    }
    if (lines.starts_with("PREFIX ")) {
      stat("detailed", lines);
    }
    end_stats();
    return std::exchange(packets_, {});
  }

 private:
  protocol::binary::Asked asked_;
  std::string packets_;
  std::string lines_;
};

}  // namespace millrace::worker
