// A target that is known to fail: it loses a byte where the stream is first cut, as a parser with its carry off by one
// would. If fuzzing or replaying it finds nothing, they would not find anything in the others either.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "support/protocol_transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const std::string stream(reinterpret_cast<const char*>(data), size);
  std::string lossy = stream;
  lossy.erase(std::min<std::size_t>(stream.size(), 5), 1);
  fuzz::require(tests::transcript(stream) == tests::transcript(lossy), "the canary lost a byte, and it was noticed");
  return 0;
}
