#include "store/page_mover.h"

#include <algorithm>
#include <cmath>

#include "store/ghost.h"

namespace millrace::store {
namespace {

/// Parts of the arena that are evicted from one fading to the next.
constexpr std::uint32_t kFadeParts = 16;
/// How many fadings what has faded lasts for each of its own.
constexpr std::uint32_t kFadesBefore = 4;
/// The ghost remembers so many times as long as counts of late cover, and as those with what was before.
constexpr double kHitsScale = 4.0;
constexpr double kHitsScaleForLong = 1.0;
/// Fadings in a row after which a class is silent.
constexpr std::uint32_t kSilentFades = 3;
/// How much more a page has to be worth where it goes.
constexpr double kWorthMore = 1.25;

/// Returns that are none: keys taken for others.
double mistaken(std::uint64_t asked) noexcept {
  return static_cast<double>(asked) * Ghost::kFalseNumerator / Ghost::kFalseDenominator;
}

}  // namespace

void PageMover::set_arena(std::uint32_t pages, std::uint32_t page_bytes) noexcept {
  page_bytes_ = page_bytes;
  fade_bytes_ = std::max(std::uint64_t{pages} / kFadeParts, std::uint64_t{1}) * page_bytes;
  due_at_ = page_bytes;
  fade_at_ = fade_bytes_;
}

/// Of a page of evicted items, how many return. A page is added to what has gone, so that little says little.
double PageMover::by_page(double returned, std::uint64_t gone_bytes) const noexcept {
  return std::max(returned, 0.0) * page_bytes_ / static_cast<double>(gone_bytes + page_bytes_);
}

double PageMover::gain(const Counts& counts, std::uint32_t pages, double deviations) const noexcept {
  const auto returned = static_cast<double>(counts.returned);
  const double by_returns =
      by_page(returned - mistaken(counts.asked) - deviations * std::sqrt(returned), counts.gone_bytes);
  // One more than there were: a class of a page or two may be too small to be hit at all.
  const double by_hits = static_cast<double>(counts.hits + 1) * kHitsScale / pages;
  return std::min(by_returns, by_hits);
}

double PageMover::cost_at_most(const Counts& counts, double hits_scale, std::uint32_t pages) const noexcept {
  const auto returned = static_cast<double>(counts.returned);
  const double by_returns =
      by_page(returned - std::min(mistaken(counts.asked), returned) + std::sqrt(returned) + 1, counts.gone_bytes);
  const auto hits = static_cast<double>(counts.hits);
  const double by_hits = (hits + std::sqrt(hits) + 1) * hits_scale / pages;
  return std::min(by_returns, by_hits);
}

double PageMover::cost_at_most(const Flow& flow, std::uint32_t pages) const noexcept {
  const Counts both{.asked = flow.lately.asked + flow.before.asked,
                    .returned = flow.lately.returned + flow.before.returned,
                    .gone_bytes = flow.lately.gone_bytes + flow.before.gone_bytes,
                    .hits = flow.lately.hits + flow.before.hits};
  return std::max(cost_at_most(flow.lately, kHitsScale, pages), cost_at_most(both, kHitsScaleForLong, pages));
}

bool PageMover::is_silent(const Flow& flow) noexcept { return flow.silent_fades >= kSilentFades && is_unheard(flow); }

void PageMover::fade() noexcept {
  const bool fades_before = ++fadings_ % kFadesBefore == 0;
  for (Flow& flow : flows_) {
    flow.silent_fades = is_unheard(flow) ? flow.silent_fades + 1 : 0;
    if (is_silent(flow)) {
      flow.lately = flow.before = {};
      flow.heard_before = 0;
      continue;
    }
    const auto fade_one = [fades_before](std::uint64_t& lately, std::uint64_t& before) {
      before += lately - lately / 2;
      lately /= 2;
      if (fades_before) {
        before /= 2;
      }
    };
    fade_one(flow.lately.asked, flow.before.asked);
    fade_one(flow.lately.returned, flow.before.returned);
    fade_one(flow.lately.gone_bytes, flow.before.gone_bytes);
    fade_one(flow.lately.hits, flow.before.hits);
    flow.heard_before = heard(flow);
  }
}

PageMover::Move PageMover::choose(const std::array<Holding, kClassesMax + 1>& classes, std::uint32_t count) noexcept {
  due_at_ = evicted_bytes_ + page_bytes_;
  Move move;
  double cost = 0;
  for (std::uint32_t id = 1; id <= count; ++id) {
    Flow& flow = flows_[id];
    flow.lately.hits += classes[id].get_hits - flow.hits_seen;
    flow.hits_seen = classes[id].get_hits;
    const Holding& holding = classes[id];
    if (holding.pages > 1 && (holding.has_page_spare || !is_recent(flow.took_at))) {
      const double its_cost = holding.has_page_spare ? 0 : cost_at_most(flow, holding.pages);
      if (move.from == 0 || its_cost < cost) {
        cost = its_cost;
        move.from = id;
      }
    }
  }
  const bool giver_is_silent = is_silent(flows_[move.from]);
  double most = 0;
  for (std::uint32_t id = 1; id <= count; ++id) {
    const Flow& flow = flows_[id];
    const Holding& holding = classes[id];
    const bool is_hungry = !holding.has_room || (giver_is_silent && !holding.has_page_spare);
    if (holding.pages != 0 && is_hungry && !is_recent(flow.gave_at)) {
      // A page of a silent class costs nothing: no need to be sure.
      const double its_gain = gain(flow.lately, holding.pages, giver_is_silent ? 0 : 1);
      if (its_gain > most) {
        most = its_gain;
        move.to = id;
      }
    }
  }
  if (evicted_bytes_ >= fade_at_) {
    fade_at_ = evicted_bytes_ + fade_bytes_;
    fade();
  }
  if (move.from == 0 || move.to == 0 || move.from == move.to || most <= cost * kWorthMore) {
    return {};
  }
  move.giver_is_silent = giver_is_silent;
  flows_[move.from].gave_at = evicted_bytes_;
  flows_[move.to].took_at = evicted_bytes_;
  return move;
}

}  // namespace millrace::store
