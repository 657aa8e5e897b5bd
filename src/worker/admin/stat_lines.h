// The text of a `stats` reply, line by line. Cold; owned by the job that writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::worker {

class StatLines {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append("STAT ").append(name).append(" ").append(value).append("\r\n");
  }
  void add(std::string_view name, std::uint64_t value) { add(name, std::string_view{std::to_string(value)}); }
  /// Names of one slab class: `STAT items:3:number 7`, `STAT 3:chunk_size 96`.
  void add(std::string_view group, std::uint32_t id, std::string_view name, std::uint64_t value) {
    std::string full{group};
    full.append(std::to_string(id)).append(":").append(name);
    add(full, value);
  }
  [[nodiscard]] std::string end() && {
    text_.append("END\r\n");
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace millrace::worker
