#include "protocol/binary/write.h"

#include <cstring>

#include "base/assert.h"

namespace millrace::protocol::binary {
namespace {

char* write_text(char* at, std::string_view text) noexcept {
  if (!text.empty()) {
    std::memcpy(at, text.data(), text.size());
  }
  return at + text.size();
}

[[nodiscard]] Header reply_to(Asked asked, Status status) noexcept {
  return {.magic = kReplyMagic,
          .opcode = asked.opcode,
          .status = static_cast<std::uint16_t>(status),
          .opaque = asked.opaque};
}

}  // namespace

char* write_done(char* at, Asked asked, std::uint64_t cas) noexcept {
  Header header = reply_to(asked, Status::Ok);
  header.cas = cas;
  return write_header(at, header);
}

char* write_error(char* at, Asked asked, Status status) noexcept {
  const std::string_view words = words_of(status);
  MR_DCHECK(kHeaderBytes + words.size() <= kErrorBytesMax);
  Header header = reply_to(asked, status);
  header.body_bytes = static_cast<std::uint32_t>(words.size());
  return write_text(write_header(at, header), words);
}

char* write_hit_head(char* at, Asked asked, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes,
                     std::uint64_t cas) noexcept {
  MR_DCHECK(key.size() <= kKeyBytesMax);
  Header header = reply_to(asked, Status::Ok);
  header.key_bytes = static_cast<std::uint16_t>(key.size());
  header.extras_bytes = sizeof flags;
  header.body_bytes = static_cast<std::uint32_t>(sizeof flags + key.size()) + value_bytes;
  header.cas = cas;
  return write_text(store_big(write_header(at, header), flags), key);
}

char* write_miss_with_key(char* at, Asked asked, std::string_view key) noexcept {
  Header header = reply_to(asked, Status::NotFound);
  header.key_bytes = static_cast<std::uint16_t>(key.size());
  header.body_bytes = header.key_bytes;
  return write_text(write_header(at, header), key);
}

char* write_number(char* at, Asked asked, std::uint64_t number, std::uint64_t cas) noexcept {
  Header header = reply_to(asked, Status::Ok);
  header.body_bytes = sizeof number;
  header.cas = cas;
  return store_big(write_header(at, header), number);
}

std::string error_reply(Asked asked, Status status) {
  char error[kErrorBytesMax];
  const char* const end = write_error(error, asked, status);
  return {error, static_cast<std::size_t>(end - error)};
}

std::string text_reply(Asked asked, Status status, std::string_view text) {
  Header header = reply_to(asked, status);
  header.body_bytes = static_cast<std::uint32_t>(text.size());
  std::string out(kHeaderBytes, '\0');
  write_header(out.data(), header);
  return out.append(text);
}

void append_stat(std::string& out, Asked asked, std::string_view name, std::string_view value) {
  Header header = reply_to(asked, Status::Ok);
  header.key_bytes = static_cast<std::uint16_t>(name.size());
  header.body_bytes = static_cast<std::uint32_t>(name.size() + value.size());
  char head[kHeaderBytes];
  write_header(head, header);
  out.append(head, kHeaderBytes).append(name).append(value);
}

}  // namespace millrace::protocol::binary
