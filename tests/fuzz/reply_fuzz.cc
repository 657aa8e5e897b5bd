// Any bytes as the replies of a server to the traffic generator: the reader of each protocol keeps what it promises its
// sink (values without gaps and no longer than announced, no answer to what was not asked), and where the stream is cut
// makes no difference to what is found. An input is a line that says the protocol (t, m, b, r for text, meta, binary,
// resp) and what was asked (letters of kLetters), and the stream behind it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/operation.h"
#include "bench/load/protocol/protocol.h"
#include "fuzz/check.h"
#include "support/reply_notebook.h"

namespace {

using millrace::load::Expected;
using millrace::load::Operation;
using millrace::load::Protocol;

// get, multiget of three keys, set, add, append (p), gets (G), cas, delete, touch, incr: in the order of Operation.
constexpr std::string_view kLetters = "gmsapGcdti";
static_assert(kLetters.size() == millrace::load::kOperations);

std::vector<Expected> asked(std::string_view letters) {
  std::vector<Expected> all;
  for (const char letter : letters) {
    const std::size_t at = kLetters.find(letter);
    if (at != std::string_view::npos) {
      const auto operation = static_cast<Operation>(at);
      all.push_back({operation, operation == Operation::MultiGet ? 3U : 1U});
    }
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos || line_end == 0) {
    return 0;
  }
  const std::size_t protocol_at = std::string_view("tmbr").find(input.front());
  if (protocol_at == std::string_view::npos) {
    return 0;
  }
  const auto protocol = static_cast<Protocol>(protocol_at);
  const std::vector<Expected> operations = asked(input.substr(1, line_end - 1));
  const std::string_view stream = input.substr(line_end + 1);
  const tests::ReplyReading whole = tests::read_replies(protocol, operations, stream, [&] { return stream.size(); });
  fuzz::require(whole.breach.empty(), whole.breach);
  fuzz::require(whole.answered <= operations.size(), "more answers than requests");
  std::mt19937_64 random(std::hash<std::string_view>{}(stream));  // from the input alone
  for (const std::size_t most : {1U, 3U, 25U, 2100U}) {
    const tests::ReplyReading parts =
        tests::read_replies(protocol, operations, stream, [&] { return std::size_t{1} + random() % most; });
    fuzz::require(parts.breach.empty(), parts.breach);
    fuzz::require(parts == whole, "cut elsewhere, found otherwise\nwhole: " + whole.text + "\nparts: " + parts.text);
  }
  return 0;
}
