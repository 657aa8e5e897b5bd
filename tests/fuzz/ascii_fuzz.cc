// Any bytes as the stream of a text connection: the session keeps what it promises its caller (no byte read beyond the
// view, all consumed bytes are of the view, it always gets on, work is bounded), and where the stream is cut makes no
// difference to what is found.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "fuzz/cuts.h"
#include "support/protocol_transcript.h"

namespace {

std::string joined(const millrace::tests::Transcript& transcript) {
  std::string text = transcript.is_idle ? "idle at the end" : "busy at the end";
  for (const std::string& event : transcript.events) {
    text += "\n  " + event;
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  // A small limit, so that too large a value needs few bytes.
  constexpr protocol::SessionOptions kOptions{.item_bytes_max = 100};
  const tests::Transcript whole = tests::transcript(stream, tests::cut_nowhere(), kOptions);
  fuzz::require(whole.breach.empty(), whole.breach);
  std::mt19937_64 random(fuzz::digest(stream));
  for (const tests::Cut& cut : fuzz::cuts(random)) {
    const tests::Transcript parts = tests::transcript(stream, cut, kOptions);
    fuzz::require(parts.breach.empty(), parts.breach);
    fuzz::require(parts == whole,
                  "cut elsewhere, found otherwise\nwhole: " + joined(whole) + "\nparts: " + joined(parts));
  }
  return 0;
}
