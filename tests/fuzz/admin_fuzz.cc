// Any bytes as the words of an administrator's command, one command a line: what is not refused is a job, every answer
// is whole lines, and policies know which parts they look at.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "worker/admin/jobs.h"
#include "worker/admin/key_text.h"
#include "worker/command_policy.h"
#include "worker/shared_state.h"

namespace {

using namespace millrace;
using fuzz::require;

void check(std::unique_ptr<worker::AdminJob> job, worker::TextReply& reply, const std::string& words) {
  const std::string said = reply.take();
  require((job == nullptr) != said.empty(), "either a job or an answer: " + words);
  require(said.empty() || said.ends_with("\r\n"), "an answer is whole lines: " + words);
}

void try_all(std::string_view words, worker::SharedState& shared) {
  worker::TextReply reply;
  const std::string shown(words);
  for (const bool may_dump : {true, false}) {
    shared.dump_enabled = may_dump;
    check(worker::answer_stats(words, 2, shared, reply), reply, shown);
    check(worker::answer_lru_crawler(words, 2, shared, reply), reply, shown);
    check(worker::answer_slabs(words, 2, shared, reply), reply, shown);
    worker::answer_lru(words, reply);
    check(nullptr, reply, shown);
    worker::answer_config(words, shared, reply);
    check(nullptr, reply, shown);
  }
  for (const auto command : {protocol::Command::Stats, protocol::Command::LruCrawler, protocol::Command::Slabs}) {
    const worker::CommandSet parts = worker::parts_of(command, words);
    require((parts & ~(worker::kDumps | worker::kStatsChanges)) == 0, "parts are parts");
  }
  static_cast<void>(worker::address_in(words));
  std::string text;
  worker::append_uri(text, words);
  require(text.size() >= words.size() && worker::is_text_key(text), "a key in a line is one word");
  text.clear();
  worker::append_base64(text, words);
  require(text.size() == (words.size() + 2) / 3 * 4, "base64 is as long as the RFC says");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  worker::SharedState shared;
  shared.cluster_config = "CONFIG cluster 0 0\r\n\r\nEND\r\n";
  shared.tracks_sizes = size % 2 == 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    try_all(text.substr(0, end), shared);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return 0;
}
