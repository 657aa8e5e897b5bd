// Any bytes as a file of users, and as a message of SASL PLAIN. A file that is taken has the users that its lines say,
// and no others; a message that is read is made of what was read.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "auth/credentials.h"
#include "auth/sasl_plain.h"
#include "fuzz/check.h"

namespace {

using namespace millrace;

void try_file(std::string_view text) {
  const auto parsed = auth::Credentials::parse(text);
  if (!parsed) {
    fuzz::require(!parsed.error().what.empty(), "a refusal has a sentence");
    return;
  }
  std::set<std::pair<std::string, std::string>> pairs;
  std::size_t lines = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + (line.size() < text.size() ? 1 : 0));
    line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    const std::size_t colon = line.find(':');
    fuzz::require(colon != std::string_view::npos, "a file that is taken has a colon in each line");
    const std::string_view user = line.substr(0, colon);
    const std::string_view password = line.substr(colon + 1);
    fuzz::require(parsed->admits(user, password), "its users are let in");
    fuzz::require(!parsed->admits({}, password) && !parsed->admits(user, {}), "nobody comes in without a word");
    pairs.emplace(user, password);
    ++lines;
  }
  for (const auto& [user, password] : pairs) {
    const std::string longer = password + '\x01';
    fuzz::require(parsed->admits(user, longer) == pairs.contains({user, longer}), "a longer password is another");
  }
  fuzz::require(lines == parsed->users() && lines >= 1 && lines <= auth::kUsersMax, "a user a line");
}

void try_message(std::string_view message) {
  const auto read = auth::read_sasl_plain(message);
  if (!read) {
    return;
  }
  const std::string tail = '\0' + std::string(read->user) + '\0' + std::string(read->password);
  fuzz::require(message == tail || message == std::string(read->user) + tail, "it says what was read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try_file(bytes);
  try_message(bytes);
  return 0;
}
