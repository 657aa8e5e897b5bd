// Reads a connection's replies in its protocol. reply.h says what a reader promises and what its sink has.
// Owned by one connection. One switch for each piece of stream; what is below it is chosen at compile time.
#pragma once

#include <string_view>
#include <variant>

#include "bench/load/protocol/binary_reader.h"
#include "bench/load/protocol/line_reader.h"
#include "bench/load/protocol/meta_grammar.h"
#include "bench/load/protocol/protocol.h"
#include "bench/load/protocol/resp_grammar.h"
#include "bench/load/protocol/text_grammar.h"

namespace millrace::load {

class ReplyReader {
 public:
  explicit ReplyReader(Protocol protocol) {
    switch (protocol) {
      case Protocol::Text:
        break;
      case Protocol::Meta:
        reader_.emplace<LineReader<MetaGrammar>>();
        break;
      case Protocol::Binary:
        reader_.emplace<BinaryReader>();
        break;
      case Protocol::Resp:
        reader_.emplace<LineReader<RespGrammar>>();
        break;
    }
  }

  /// False: the stream is no longer to be trusted; offence() says what stood there.
  template <typename Sink>
  [[nodiscard]] bool read(std::string_view bytes, Sink& sink) {
    return std::visit([&](auto& reader) { return reader.read(bytes, sink); }, reader_);
  }

  [[nodiscard]] std::string_view offence() const noexcept {
    return std::visit([](const auto& reader) { return reader.offence(); }, reader_);
  }

 private:
  std::variant<LineReader<TextGrammar>, LineReader<MetaGrammar>, BinaryReader, LineReader<RespGrammar>> reader_;
};

}  // namespace millrace::load
