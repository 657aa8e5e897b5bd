#include "store/page_mover.h"

#include <algorithm>
#include <cmath>

#include "store/ghost.h"

namespace millrace::store {
namespace {

constexpr std::uint32_t kFadeAfterMin = 16;
/// Counts cover two fadings, a quarter of the arena; the ghost remembers about four times as much.
constexpr double kHitsScale = 4.0;
/// How much more a page has to be worth where it goes.
constexpr double kWorthMore = 1.25;

/// Returns that are none: keys taken for others.
double mistaken(std::uint64_t asked) noexcept {
  return static_cast<double>(asked) * Ghost::kFalseNumerator / Ghost::kFalseDenominator;
}

}  // namespace

void PageMover::set_arena(std::uint32_t pages, std::uint32_t page_bytes) noexcept {
  fade_after_ = std::max(pages / 8, kFadeAfterMin);
  page_bytes_ = page_bytes;
}

/// Of a page of evicted items, how many return. A page is added to what has gone, so that little says little.
double PageMover::by_page(double returned, std::uint64_t gone_bytes) const noexcept {
  return std::max(returned, 0.0) * page_bytes_ / static_cast<double>(gone_bytes + page_bytes_);
}

double PageMover::gain_at_least(const Flow& flow) const noexcept {
  const auto returned = static_cast<double>(flow.returned);
  return by_page(returned - mistaken(flow.asked) - std::sqrt(returned), flow.gone_bytes);
}

double PageMover::cost_at_most(const Flow& flow, const Holding& holding) const noexcept {
  const auto returned = static_cast<double>(flow.returned);
  const double by_returns =
      by_page(returned - std::min(mistaken(flow.asked), returned) + std::sqrt(returned) + 1, flow.gone_bytes);
  const double by_hits = static_cast<double>(flow.hits) * kHitsScale / holding.pages;
  return std::min(by_returns, by_hits);
}

void PageMover::fade() noexcept {
  for (Flow& flow : flows_) {
    flow.asked /= 2;
    flow.returned /= 2;
    flow.gone_bytes /= 2;
    flow.hits /= 2;
  }
}

PageMover::Move PageMover::choose(const std::array<Holding, kClassesMax + 1>& classes, std::uint32_t count) noexcept {
  turned_bytes_ = 0;
  Move move;
  double gain = 0;
  double cost = 0;
  for (std::uint32_t id = 1; id <= count; ++id) {
    Flow& flow = flows_[id];
    flow.hits += classes[id].get_hits - flow.hits_seen;
    flow.hits_seen = classes[id].get_hits;
    const Holding& holding = classes[id];
    if (holding.pages != 0 && !holding.has_room && !is_recent(flow.gave_at)) {
      if (const double its_gain = gain_at_least(flow); its_gain > gain) {
        gain = its_gain;
        move.to = id;
      }
    }
    if (holding.pages > 1 && (holding.has_page_spare || !is_recent(flow.took_at))) {
      const double its_cost = holding.has_page_spare ? 0 : cost_at_most(flow, holding);
      if (move.from == 0 || its_cost < cost) {
        cost = its_cost;
        move.from = id;
      }
    }
  }
  if (++considered_ % fade_after_ == 0) {
    fade();
  }
  if (move.from == 0 || move.to == 0 || move.from == move.to || gain <= cost * kWorthMore) {
    return {};
  }
  flows_[move.from].gave_at = considered_;
  flows_[move.to].took_at = considered_;
  return move;
}

}  // namespace millrace::store
