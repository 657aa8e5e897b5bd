// What an administrator's command says, apart from how it is written: pairs of name and value, or whole lines. The text
// form is here; another protocol brings another AdminReply, and every `stats` speaks it.
//
// Thread: the home worker's, in AdminJob::finish(). Ownership: owns its bytes until take(). Cold; allocates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::worker {

class AdminReply {
 public:
  virtual ~AdminReply() = default;

  /// One statistic. A list of them, even an empty one, ends with end_stats().
  virtual void stat(std::string_view name, std::string_view value) = 0;
  virtual void end_stats() = 0;
  /// A whole answer, or a part of one, that is no statistic: "OK\r\n", "RESET\r\n", "CLIENT_ERROR ...\r\n".
  virtual void line(std::string_view text) = 0;
  /// Everything said, as the wire wants it.
  [[nodiscard]] virtual std::string take() = 0;

  void stat(std::string_view name, std::uint64_t value) { stat(name, std::string_view{std::to_string(value)}); }
  /// Names of one slab class: `items:3:number`, `3:chunk_size`.
  void stat(std::string_view group, std::uint32_t id, std::string_view name, std::uint64_t value) {
    std::string full{group};
    full.append(std::to_string(id)).append(":").append(name);
    stat(full, value);
  }
};

/// `STAT <name> <value>` and `END`.
class TextReply final : public AdminReply {
 public:
  using AdminReply::stat;
  void stat(std::string_view name, std::string_view value) override {
    text_.append("STAT ").append(name).append(" ").append(value).append("\r\n");
  }
  void end_stats() override { text_.append("END\r\n"); }
  void line(std::string_view text) override { text_.append(text); }
  [[nodiscard]] std::string take() override { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

}  // namespace millrace::worker
