// Who gets whose page: counts told by hand, as the partition would.
#include "store/page_mover.h"

#include <gtest/gtest.h>

namespace millrace::store {
namespace {

constexpr std::uint32_t kPages = 1024;
constexpr std::uint32_t kIdle = 1;
constexpr std::uint32_t kBusy = 2;

/// Two classes of one chunk size; `kBusy` evicts, `kIdle` does what the test says.
class Moves {
 public:
  Moves() { mover_.set_arena(kPages, kPageBytesMax); }

  /// So many items came to `id` and as many went; `returned` of them the ghost knew.
  void flow(std::uint32_t id, std::uint32_t items, std::uint32_t returned, std::uint32_t hits) {
    for (std::uint32_t n = 0; n < items; ++n) {
      mover_.note_new(id, n < returned);
      mover_.note_gone(id, kItemBytes);
    }
    classes_[id].get_hits += hits;
  }
  /// A page of bytes was evicted, so that a move is due.
  PageMover::Move choose(std::uint32_t idle_pages = kPages / 2) {
    EXPECT_TRUE(mover_.turn_over(kPageBytesMax));
    classes_[kIdle].pages = idle_pages;
    classes_[kBusy].pages = kPages - idle_pages;
    return mover_.choose(classes_, 2);
  }
  void set_room(std::uint32_t id, bool has_room) { classes_[id].has_room = has_room; }
  /// So many fadings in which nothing is asked of `kIdle`, and nothing returns to `kBusy`.
  void wait(std::uint32_t fadings) {
    for (std::uint32_t n = 0; n < fadings * kPages / 16; ++n) {
      flow(kBusy, 16, 0, 16);
      choose();
    }
  }

 private:
  static constexpr std::uint32_t kItemBytes = 4096;

  PageMover mover_;
  std::array<PageMover::Holding, kClassesMax + 1> classes_{};
};

TEST(PageMover, GivesToTheClassWhoseItemsReturn) {
  Moves moves;
  moves.flow(kBusy, 400, 200, 4000);
  const PageMover::Move move = moves.choose();
  EXPECT_EQ(move.to, kBusy);
  EXPECT_EQ(move.from, kIdle);
}

TEST(PageMover, GivesNothingWhereEveryPageIsHitAlike) {
  Moves moves;
  moves.flow(kBusy, 400, 200, 4000);
  moves.flow(kIdle, 400, 200, 4000);
  EXPECT_EQ(moves.choose().to, 0U);
}

TEST(PageMover, GivesNothingToALoopThatIsLongerThanMemory) {
  Moves moves;
  moves.flow(kBusy, 4000, 2000, 0);  // half of it returns, nothing is ever hit
  moves.flow(kIdle, 40, 2, 40);
  EXPECT_EQ(moves.choose().to, 0U);
}

TEST(PageMover, KeepsForALittleGainWhatHadNoHitForAMoment) {
  Moves moves;
  moves.flow(kBusy, 6400, 130, 4000);  // some thirty more than are mistaken
  EXPECT_EQ(moves.choose(2).to, 0U) << "of two pages one hit is much";
}

TEST(PageMover, KeepsWhatIsHitInPhases) {
  Moves moves;
  moves.flow(kIdle, 400, 100, 40'000);
  moves.wait(4);
  moves.flow(kBusy, 400, 100, 400);
  EXPECT_NE(moves.choose().to, kBusy) << "its next phase may come";

  moves.wait(2);
  moves.flow(kBusy, 400, 100, 400);
  const PageMover::Move move = moves.choose();
  EXPECT_EQ(move.to, kBusy) << "it does not come any more";
  EXPECT_EQ(move.from, kIdle);
}

/// Sizes have drifted: nobody will come back to what is left.
TEST(PageMover, EmptiesASilentClassInAdvance) {
  for (const std::uint32_t hits : {0U, 1U}) {  // now and then one: not silent
    Moves moves;
    moves.flow(kIdle, 400, 100, 40'000);
    for (int n = 0; n < 40; ++n) {
      moves.wait(2);
      moves.flow(kIdle, 0, 0, hits);
    }
    moves.wait(1);
    moves.flow(kIdle, 0, 0, hits);
    moves.flow(kBusy, 4000, 2000, 40'000);
    const PageMover::Move move = moves.choose();
    EXPECT_EQ(move.to, kBusy);
    EXPECT_EQ(move.giver_is_silent, hits == 0);
    moves.set_room(kBusy, true);
    EXPECT_EQ(moves.choose().to, hits == 0 ? kBusy : 0) << "while the page before is filled";
  }
}

TEST(PageMover, LetsAClassBeginThatIsTooSmallToBeHit) {
  Moves moves;
  moves.flow(kBusy, 400, 200, 0);
  const PageMover::Move move = moves.choose(kPages - 1);
  EXPECT_EQ(move.to, kBusy);
  EXPECT_EQ(move.from, kIdle);
}

}  // namespace
}  // namespace millrace::store
