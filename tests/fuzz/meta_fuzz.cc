// Any bytes behind each of the meta commands' words: what is parsed can be read back and answered within the room there
// is for a reply, in the order of the line; and, as for any text, where the stream is cut makes no difference.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "fuzz/cuts.h"
#include "protocol/meta/args.h"
#include "protocol/meta/base64.h"
#include "protocol/meta/parse.h"
#include "protocol/meta/write.h"
#include "support/protocol_transcript.h"

namespace {

using namespace millrace;

/// The longest numbers there are.
protocol::meta::Shown longest(std::string_view key) {
  return {.key = key,
          .value_bytes = ~0U,
          .ttl_s = 0xffff'fffe,
          .cas = ~std::uint64_t{0},
          .client_flags = ~0U,
          .idle_s = ~0U,
          .was_fetched = true};
}

void parse_one(char letter, std::string_view arguments) {
  // Exactly as many bytes as there are, so that a read past them is seen.
  const std::unique_ptr<char[]> exact(new char[arguments.size() + 1]);
  arguments.copy(exact.get(), arguments.size());
  protocol::Request request;
  protocol::Scratch scratch;
  const protocol::ascii::Verdict verdict =
      protocol::meta::parse(letter, {exact.get(), arguments.size()}, request, scratch);
  if (verdict.meaning != protocol::ascii::Meaning::Request && verdict.meaning != protocol::ascii::Meaning::DataBlock) {
    fuzz::require(verdict.error.ends_with("\r\n"), "a refusal says why");
    fuzz::require(letter == 's' || verdict.swallow_bytes == 0, "only an ms has a block");
    return;
  }
  fuzz::require(request.dialect == protocol::Dialect::Meta && !request.noreply && !request.ends_reply, "it is meta");
  fuzz::require(!request.key.empty() && request.key.size() <= protocol::kKeyBytesMax, "its key is a key");
  fuzz::require(request.extra().size() <= protocol::kExtraBytesMax, "its extra travels");
  fuzz::require((verdict.meaning == protocol::ascii::Meaning::DataBlock) == protocol::is_storage(request.command),
                "a block follows an ms");
  const protocol::meta::Extra extra = protocol::meta::read_extra(request.extra());
  fuzz::require(extra.opaque.size() <= protocol::meta::kOpaqueBytesMax, "its opaque is short");
  const std::unique_ptr<char[]> line(new char[protocol::meta::kLineBytesMax]);
  char* const flags = line.get() + std::string_view("VA 2147483645").size();
  const char* const end = protocol::meta::write_returns(flags, extra, longest(request.key));
  fuzz::require(static_cast<std::size_t>(end - line.get()) + std::string_view(" Z X W\r\n").size() <=
                    protocol::meta::kLineBytesMax,
                "a reply has room");
  protocol::meta::write_reflected(flags, extra, request.key);
}

void encode_and_decode(std::string_view bytes) {
  bytes = bytes.substr(0, protocol::kKeyBytesMax);
  const std::unique_ptr<char[]> decoded(new char[bytes.size() + 1]);
  const std::size_t count = protocol::meta::decode_base64(decoded.get(), bytes);
  fuzz::require(count <= bytes.size() / 4 * 3, "three bytes for four");
  std::string text(protocol::meta::base64_bytes(bytes.size()), '\0');
  protocol::meta::encode_base64(text.data(), bytes);
  std::string again(text.size(), '\0');
  again.resize(protocol::meta::decode_base64(again.data(), text));
  fuzz::require(again == bytes, "what is encoded is decoded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const char letter : {'g', 's', 'd', 'a', 'e'}) {
    parse_one(letter, bytes.substr(0, protocol::kLineBytesMax));
  }
  encode_and_decode(bytes);
  constexpr protocol::SessionOptions kOptions{.item_bytes_max = 100};
  for (const std::string_view command : {"mg ", "ms ", "ma "}) {
    std::string stream(command);
    stream += bytes;
    const tests::Transcript whole = tests::transcript(stream, tests::cut_nowhere(), kOptions);
    fuzz::require(whole.breach.empty(), whole.breach);
    std::mt19937_64 random(fuzz::digest(stream));
    for (const tests::Cut& cut : fuzz::cuts(random)) {
      fuzz::require(tests::transcript(stream, cut, kOptions) == whole, "cut elsewhere, found otherwise");
    }
  }
  return 0;
}
