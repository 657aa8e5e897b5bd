// Any bytes as the stream of a connection that may speak binary, of one that has to authenticate by SASL, and of one
// that has to log in: the session keeps what it promises its caller, and where the stream is cut makes no difference.
// Before authentication nothing is found but the handshake.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "fuzz/cuts.h"
#include "support/protocol_transcript.h"

namespace {

using namespace millrace;

std::string joined(const tests::Transcript& transcript) {
  std::string text = transcript.is_idle ? "idle at the end" : "busy at the end";
  for (const std::string& event : transcript.events) {
    text += "\n  " + event;
  }
  return text;
}

bool is_handshake(std::string_view event) {
  for (const std::string_view begin : {"error ", "close ", "version", "sasl_", "login "}) {
    if (event.starts_with(begin)) {
      return true;
    }
  }
  return false;
}

void try_session(std::string_view stream, const protocol::SessionOptions& options) {
  const tests::Transcript whole = tests::transcript(stream, tests::cut_nowhere(), options);
  fuzz::require(whole.breach.empty(), whole.breach);
  if (options.guard != protocol::Guard::None && stream.find("good") == std::string_view::npos) {
    for (const std::string& event : whole.events) {  // the transcript lets nobody in without that word
      fuzz::require(is_handshake(event), "asked without authentication: " + event);
    }
  }
  std::mt19937_64 random(fuzz::digest(stream));
  for (const tests::Cut& cut : fuzz::cuts(random)) {
    const tests::Transcript parts = tests::transcript(stream, cut, options);
    fuzz::require(parts.breach.empty(), parts.breach);
    fuzz::require(parts == whole,
                  "cut elsewhere, found otherwise\nwhole: " + joined(whole) + "\nparts: " + joined(parts));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  // A small limit, so that too large a value needs few bytes.
  constexpr std::uint32_t kItemBytesMax = 100;
  try_session(stream, {.item_bytes_max = kItemBytesMax});
  try_session(stream, {.item_bytes_max = kItemBytesMax, .guard = protocol::Guard::Sasl});
  try_session(stream,
              {.item_bytes_max = kItemBytesMax, .speaks = protocol::Speaks::Text, .guard = protocol::Guard::Login});
  return 0;
}
