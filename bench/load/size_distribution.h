// How long keys or values are: a pure function of the key's number, so that every process that knows the words of the
// command line knows the sizes. Immutable after construction; shared by all load threads.
//
//   64                      all alike
//   32-1024                 evenly spread
//   64=50,1024=40,8192=10   each so often, in proportion
//   @FILE                   the same, one `size weight` a line
//   etc                     as in Facebook's ETC pool: B. Atikoglu et al., "Workload Analysis of a Large-Scale
//   Key-Value
//                           Store", SIGMETRICS 2012, section 5
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/load/prng.h"

namespace millrace::load {

class SizeDistribution {
 public:
  enum class Of : std::uint8_t {
    Keys,
    Values,
  };

  /// All sizes alike, or evenly spread; `min` <= `max`.
  SizeDistribution(Of of, std::uint32_t min, std::uint32_t max);
  static Result<SizeDistribution> parse(Of of, const std::string& text);

  [[nodiscard]] std::uint32_t size_of(std::uint64_t number) const noexcept {
    return min_ == max_ ? min_ : draw(mix64(number ^ salt_));
  }
  [[nodiscard]] std::uint32_t min() const noexcept { return min_; }
  [[nodiscard]] std::uint32_t max() const noexcept { return max_; }
  /// As it is written on a command line.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  struct Weighted {
    std::uint32_t size = 0;
    double weight = 0;
  };
  /// Two sizes share a cell (A. J. Walker's alias method, 1977): one look at a table draws exactly.
  struct Cell {
    std::uint32_t size = 0;
    std::uint32_t other = 0;
    std::uint32_t share = 0;  ///< of 2^32, of `size`
  };

  static Result<std::vector<Weighted>> parse_histogram(std::string_view text);
  static Result<std::vector<Weighted>> read_histogram(const std::string& path);
  static std::vector<Weighted> etc_keys();
  static std::vector<Weighted> etc_values_head();
  void set_table(std::vector<Weighted> histogram);

  [[nodiscard]] std::uint32_t draw(std::uint64_t hash) const noexcept;

  std::uint64_t salt_;  ///< a key's size tells nothing about its value's
  std::uint32_t min_;
  std::uint32_t max_;
  std::vector<Cell> cells_;  ///< empty: evenly spread
  double tail_share_ = 0;    ///< ETC values: P(tail's distribution > the small sizes), which the table holds
  std::string text_;
};

}  // namespace millrace::load
