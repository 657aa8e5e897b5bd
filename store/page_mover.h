// Which class would make more of a page than another: hits a page, with re-requests of what was evicted as the sign.
//
// Thread: the partition's owner. Ownership: by value in the partition. Plain arithmetic; moves nothing itself.
//
// What one more page would have brought a class: as many items as fit a page, each with the share of its evicted items
// that were asked for again while the ghost remembered them: returned / evicted bytes * page bytes. What a page less
// would cost a class is about the same figure of its own, and no more than its pages' hits. Small items return more
// often a page, so pages go to them until their returns are rare: hits count, not bytes.
//
// The ghost takes some keys for others, the more the more it is asked: that share is taken off. Counts are small where
// pages are few: a class that asks is taken at what it has at least (one standard deviation less), one that gives at
// what it has at most, and it has to be worth a quarter more; and who got a page gives none until the counts have
// faded, nor gets one who gave. So noise moves little, and nothing to and fro. A class with room is not hungry,
// whatever returns.
//
// No further page of a class can be worth more than its pages are in the mean, or it is a loop longer than memory,
// whose next page is worth nothing: hits a page are a bound on both sides. And requests come in phases. What gives has
// to be worth little both lately and for long, lest a class whose turn it is not just now loses what it will be asked
// for: counts that fade are added to others, which fade a quarter as fast.
//
// A move is considered each time a page of bytes was evicted; counts fade by half each time a sixteenth of the arena
// was. When nobody has asked for anything of a class during three of those, sizes have drifted: what was is forgotten,
// and the class that fills has one page after another emptied for it before it needs it (Partition::wants_next_page).
// So a drift costs what filling an empty cache costs, and those three (docs/eviction.md has the figures). Phases of
// requests may be as long as that: in fifteen sizes of memory cphy_io misses between 0.5 % less and 0.7 % more, as
// much in the mean.
#pragma once

#include <array>
#include <cstdint>

#include "store/limits.h"

namespace millrace::store {

class PageMover {
 public:
  struct Move {
    std::uint32_t from = 0;  ///< class; 0: none
    std::uint32_t to = 0;
    bool giver_is_silent = false;  ///< so the next page may be wanted soon
  };

  void set_arena(std::uint32_t pages, std::uint32_t page_bytes) noexcept;

  /// A new item of class `id` came, and the ghost knew its key or did not.
  void note_new(std::uint32_t id, bool was_known) noexcept {
    ++flows_[id].lately.asked;
    flows_[id].lately.returned += was_known ? 1 : 0;
  }
  /// The ghost was told of an item of class `id` that is gone.
  void note_gone(std::uint32_t id, std::uint64_t bytes) noexcept { flows_[id].lately.gone_bytes += bytes; }

  /// So many bytes were evicted. True when a move is due to be considered.
  bool turn_over(std::uint64_t bytes) noexcept {
    evicted_bytes_ += bytes;
    return is_due();
  }
  [[nodiscard]] bool is_due() const noexcept { return evicted_bytes_ >= due_at_; }

  /// Pages and hits (ever) of a class, asked for each class of the partition by choose().
  struct Holding {
    std::uint32_t pages = 0;
    bool has_room = false;        ///< a free chunk
    bool has_page_spare = false;  ///< as many free chunks as a page has
    std::uint64_t get_hits = 0;
  };
  /// The move to make now, if any; `classes` are ids 1 .. count. Not due any more afterwards.
  Move choose(const std::array<Holding, kClassesMax + 1>& classes, std::uint32_t count) noexcept;

 private:
  struct Counts {
    std::uint64_t asked = 0;
    std::uint64_t returned = 0;
    std::uint64_t gone_bytes = 0;
    std::uint64_t hits = 0;
  };
  struct Flow {
    Counts lately;
    Counts before;                   ///< what has faded from `lately`, and fades more slowly
    std::uint64_t heard_before = 0;  ///< heard() when the counts last faded
    std::uint64_t silent_fades = 0;  ///< in a row, before each of which nothing was heard
    std::uint64_t hits_seen = 0;     ///< of get_hits
    std::uint64_t took_at = 0;       ///< `evicted_bytes_` when it last got a page; 0: never
    std::uint64_t gave_at = 0;
  };

  [[nodiscard]] static std::uint64_t heard(const Flow& flow) noexcept { return flow.lately.asked + flow.lately.hits; }
  [[nodiscard]] static bool is_unheard(const Flow& flow) noexcept { return heard(flow) == flow.heard_before; }
  /// Nobody has asked for anything of the class for long.
  [[nodiscard]] static bool is_silent(const Flow& flow) noexcept;
  void fade() noexcept;
  /// Returns of a page of a class that has `pages`: one more, less so many standard deviations; and one less, at most.
  [[nodiscard]] double gain(const Counts& counts, std::uint32_t pages, double deviations) const noexcept;
  [[nodiscard]] double cost_at_most(const Flow& flow, std::uint32_t pages) const noexcept;
  [[nodiscard]] double cost_at_most(const Counts& counts, double hits_scale, std::uint32_t pages) const noexcept;
  [[nodiscard]] bool is_recent(std::uint64_t at) const noexcept { return at != 0 && evicted_bytes_ - at < fade_bytes_; }
  [[nodiscard]] double by_page(double returned, std::uint64_t gone_bytes) const noexcept;

  std::array<Flow, kClassesMax + 1> flows_{};
  std::uint32_t page_bytes_ = kPageBytesMax;
  std::uint64_t fade_bytes_ = kPageBytesMax;  ///< a sixteenth of the arena
  std::uint64_t evicted_bytes_ = 0;
  std::uint64_t due_at_ = kPageBytesMax;   ///< `evicted_bytes_` when a move is considered next
  std::uint64_t fade_at_ = kPageBytesMax;  ///< the same of counts that fade
  std::uint32_t fadings_ = 0;
};

}  // namespace millrace::store
