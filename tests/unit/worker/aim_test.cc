// What `stats aim` tells, and that a client that does what docs/aiming.md says finds the owner.

#include <gtest/gtest.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/key_hash.h"
#include "worker/admin/jobs.h"

namespace millrace::worker {
namespace {

std::string aim_text(std::uint16_t port, std::uint32_t workers, std::uint64_t seed) {
  TextReply reply;
  tell_aim(port, workers, seed, reply);
  return reply.take();
}

TEST(Aim, TheMapIsToldOnlyWhenThereIsOne) {
  EXPECT_EQ(aim_text(0, 4, 77), "STAT enabled no\r\nEND\r\n");
  EXPECT_EQ(aim_text(11300, 4, 18446744073709551615ULL),
            "STAT enabled yes\r\nSTAT port 11300\r\nSTAT workers 4\r\nSTAT hash xxh3_64\r\n"
            "STAT seed 18446744073709551615\r\nSTAT owner ((hash>>48)*workers)>>16\r\nEND\r\n");
}

std::uint64_t number(const std::string& cell) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  EXPECT_TRUE(error == std::errc{} && end == cell.data() + cell.size()) << cell;
  return value;
}

TEST(Aim, TheExamplesOfThePageAreRight) {
  std::ifstream page(MILLRACE_AIMING_PAGE);
  ASSERT_TRUE(page) << MILLRACE_AIMING_PAGE;
  int rows = 0;
  bool is_in_table = false;  // the one of examples; the page has others
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) {
      is_in_table = line.starts_with("| key | seed | workers | hash | owner | UDP port |") ||
                    (is_in_table && line.starts_with("|"));
      continue;
    }
    if (!is_in_table) {
      continue;
    }
    ++rows;
    std::vector<std::string> cells;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word != "|") {
        cells.push_back(word);
      }
    }
    ASSERT_EQ(cells.size(), 6U) << line;
    const std::string key = cells[0].substr(1, cells[0].size() - 2);
    const auto workers = static_cast<std::uint32_t>(number(cells[2]));
    const KeyHash hash = hash_key(key, number(cells[1]));
    EXPECT_EQ(hash.bits, number(cells[3])) << line;
    EXPECT_EQ(hash.partition(workers), number(cells[4])) << line;
    EXPECT_EQ(((hash.bits >> 48) * workers) >> 16, number(cells[4])) << line;
    EXPECT_EQ(11300 + number(cells[4]), number(cells[5])) << line;
  }
  EXPECT_GE(rows, 5);
}

}  // namespace
}  // namespace millrace::worker
