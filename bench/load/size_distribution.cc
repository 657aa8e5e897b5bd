#include "bench/load/size_distribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>

#include "base/assert.h"
#include "bench/load/parse_whole.h"

namespace millrace::load {
namespace {

constexpr std::uint32_t kKeyBytesMax = 250;         // the protocols' limit
constexpr std::uint32_t kValueBytesMax = 1U << 30;  // what a reply reader takes

// Section 5 of the paper: key sizes fit a generalized extreme value distribution; value sizes below 15 bytes have
// probabilities of their own, larger ones fit a generalized Pareto distribution.
struct ExtremeValue {
  double location = 30.7984;
  double scale = 8.20449;
  double shape = 0.078688;

  /// P(X <= x)
  [[nodiscard]] double below(double x) const {
    const double t = 1 + shape * (x - location) / scale;
    return t <= 0 ? 0 : std::exp(-std::pow(t, -1 / shape));
  }
};
struct Pareto {
  double scale = 214.476;
  double shape = 0.348238;

  [[nodiscard]] double above(double x) const { return std::pow(1 + shape * x / scale, -1 / shape); }
  /// The x for which above(x) is `share`.
  [[nodiscard]] double at(double share) const { return (std::pow(share, -shape) - 1) * scale / shape; }
};
constexpr std::array kEtcSmallValues{0.00536, 0.00047, 0.17820, 0.09239, 0.00018, 0.02740, 0.00065, 0.00606,
                                     0.00023, 0.00837, 0.00837, 0.08989, 0.00092, 0.00326, 0.01980};
/// Longer ones, one in about 10^9, are cut off: servers take no more than 1 MiB unless told.
constexpr std::uint32_t kEtcValueBytesMax = 1'000'000;

bool is_weight(double weight) { return weight > 0 && weight < 1e12; }

}  // namespace

SizeDistribution::SizeDistribution(Of of, std::uint32_t min, std::uint32_t max)
    : salt_(of == Of::Keys ? 0x6b65'79 : 0x5a5a),
      min_(min),
      max_(max),
      text_(min == max ? fmt::format("{}", min) : fmt::format("{}-{}", min, max)) {
  MR_ASSERT(min <= max);
}

Result<SizeDistribution> SizeDistribution::parse(Of of, const std::string& text) {
  SizeDistribution sizes(of, 0, 0);
  if (text == "etc") {
    sizes.set_table(of == Of::Keys ? etc_keys() : etc_values_head());
    if (of == Of::Values) {
      sizes.tail_share_ = Pareto().above(static_cast<double>(kEtcSmallValues.size()));
      sizes.max_ = kEtcValueBytesMax;
    }
  } else if (text.starts_with('@') || text.find('=') != std::string::npos) {
    auto histogram = text.starts_with('@') ? read_histogram(text.substr(1)) : parse_histogram(text);
    if (!histogram) {
      return std::unexpected(histogram.error());
    }
    sizes.set_table(std::move(*histogram));
  } else {
    const std::string_view whole(text);
    const std::size_t dash = whole.find('-');
    if (!parse_whole(whole.substr(0, dash), sizes.min_) ||
        !parse_whole(dash == std::string::npos ? whole : whole.substr(dash + 1), sizes.max_) ||
        sizes.min_ > sizes.max_) {
      return fail(fmt::format("\"{}\" is no size: say 64, 32-1024, 64=50,1024=50, @FILE or etc.", text));
    }
  }
  const std::uint32_t limit = of == Of::Keys ? kKeyBytesMax : kValueBytesMax;
  if (sizes.max_ > limit) {
    return fail(fmt::format("\"{}\" goes beyond {} bytes.", text, limit));
  }
  sizes.text_ = text;
  return sizes;
}

Result<std::vector<SizeDistribution::Weighted>> SizeDistribution::parse_histogram(std::string_view text) {
  std::vector<Weighted> histogram;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const std::size_t equals = item.find('=');
    Weighted entry;
    if (equals == std::string_view::npos || !parse_whole(item.substr(0, equals), entry.size) ||
        !parse_whole(item.substr(equals + 1), entry.weight) || !is_weight(entry.weight)) {
      return fail(fmt::format("\"{}\" is no size=weight, such as 64=50.", item));
    }
    histogram.push_back(entry);
  }
  return histogram;
}

Result<std::vector<SizeDistribution::Weighted>> SizeDistribution::read_histogram(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return fail(fmt::format("The sizes in {} cannot be read.", path));
  }
  std::vector<Weighted> histogram;
  std::uint64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') {
      continue;
    }
    const std::string_view text = std::string_view(line).substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
    const std::size_t size_end = text.find_first_of(" \t");
    const std::size_t weight_at =
        size_end == std::string_view::npos ? size_end : text.find_first_not_of(" \t", size_end);
    Weighted entry;
    if (weight_at == std::string_view::npos || !parse_whole(text.substr(0, size_end), entry.size) ||
        !parse_whole(text.substr(weight_at), entry.weight) || !is_weight(entry.weight)) {
      return fail(fmt::format("Line {} of {} is no `size weight`.", number, path));
    }
    histogram.push_back(entry);
  }
  if (histogram.empty()) {
    return fail(fmt::format("There are no sizes in {}.", path));
  }
  return histogram;
}

std::vector<SizeDistribution::Weighted> SizeDistribution::etc_keys() {
  constexpr ExtremeValue kSizes;
  std::vector<Weighted> histogram;
  for (std::uint32_t size = 1; size <= kKeyBytesMax; ++size) {
    const double weight = kSizes.below(size + 0.5) - kSizes.below(size - 0.5);
    if (weight > 0) {
      histogram.push_back({size, weight});
    }
  }
  return histogram;
}

std::vector<SizeDistribution::Weighted> SizeDistribution::etc_values_head() {
  std::vector<Weighted> histogram;
  double tail = 1;
  for (std::uint32_t size = 0; size < kEtcSmallValues.size(); ++size) {
    histogram.push_back({size, kEtcSmallValues[size]});
    tail -= kEtcSmallValues[size];
  }
  histogram.push_back({static_cast<std::uint32_t>(kEtcSmallValues.size()), tail});
  return histogram;
}

void SizeDistribution::set_table(std::vector<Weighted> histogram) {
  double total = 0;
  for (const Weighted& entry : histogram) {
    total += entry.weight;
  }
  for (Weighted& entry : histogram) {
    entry.weight *= static_cast<double>(histogram.size()) / total;  // 1 fills a cell
  }
  const auto [least, most] = std::ranges::minmax(histogram, {}, &Weighted::size);
  min_ = least.size;
  max_ = most.size;
  // Each step fills one cell: with a size that has less than a cell left, and for the rest with one that has more.
  std::vector<Weighted> small;
  std::vector<Weighted> large;
  std::ranges::partition_copy(histogram, std::back_inserter(small), std::back_inserter(large),
                              [](const Weighted& entry) { return entry.weight < 1; });
  while (!small.empty() && !large.empty()) {
    const Weighted less = small.back();
    small.pop_back();
    Weighted& more = large.back();
    cells_.push_back({less.size, more.size, static_cast<std::uint32_t>(less.weight * 0x1p32)});
    more.weight -= 1 - less.weight;
    if (more.weight < 1) {
      small.push_back(more);
      large.pop_back();
    }
  }
  // What is left fills its cell, but for rounding.
  for (const std::vector<Weighted>* rest : {&small, &large}) {
    for (const Weighted& entry : *rest) {
      cells_.push_back({entry.size, entry.size, 0});
    }
  }
}

std::uint32_t SizeDistribution::draw(std::uint64_t hash) const noexcept {
  if (cells_.empty()) {
    return min_ + static_cast<std::uint32_t>(hash % (std::uint64_t{max_} - min_ + 1));
  }
  const Cell& cell = cells_[(hash >> 32) * cells_.size() >> 32];
  const std::uint32_t size = static_cast<std::uint32_t>(hash) < cell.share ? cell.size : cell.other;
  if (tail_share_ == 0 || size < kEtcSmallValues.size()) {
    return size;
  }
  const double share = (static_cast<double>(mix64(hash) >> 11) + 1) * 0x1.0p-53;  // in (0, 1]
  return static_cast<std::uint32_t>(std::min(Pareto().at(share * tail_share_), double{kEtcValueBytesMax}));
}

}  // namespace millrace::load
