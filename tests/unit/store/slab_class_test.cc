// The size table, for every smallest chunk and growth factor an operator may ask for.
#include "store/slab_class.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "store/bucket.h"
#include "store/item.h"

namespace millrace::store {
namespace {

constexpr std::uint32_t kPageBytes = kPageBytesMax;

SizeTable table_of(std::uint32_t chunk_bytes_min, double growth_factor) {
  auto made = SizeTable::create(chunk_bytes_min, growth_factor);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().what);
  return *made;
}

/// Everything that must hold of a table, whatever made it.
void check(const SizeTable& table, std::uint32_t chunk_bytes_min, std::uint32_t page_bytes = kPageBytes) {
  ASSERT_GE(table.classes(), 1U);
  ASSERT_LE(table.classes(), kClassesMax);
  ASSERT_EQ(table.chunk_bytes(kOverflowClass), sizeof(Bucket));
  ASSERT_GE(table.chunk_bytes(1), chunk_bytes_min);
  ASSERT_EQ(table.chunk_bytes(table.classes()), page_bytes);
  for (std::uint32_t id = 1; id <= table.classes(); ++id) {
    const std::uint32_t bytes = table.chunk_bytes(id);
    ASSERT_EQ(bytes % kUnitBytes, 0U);
    ASSERT_GE(bytes, id == 1 ? kChunkBytesMin : table.chunk_bytes(id - 1) + kUnitBytes);
    // A page's tail is smaller than what every chunk would need to grow by a unit.
    const std::uint32_t chunks = page_bytes / bytes;
    ASSERT_LT(page_bytes - chunks * bytes, chunks * kUnitBytes);
  }
  std::uint32_t id = 1;
  for (std::uint64_t bytes = 1; bytes <= page_bytes; ++bytes) {
    while (table.chunk_bytes(id) < bytes) {
      ++id;
    }
    ASSERT_EQ(table.smallest(bytes), id) << bytes;
    const std::uint32_t within = table.largest_within(bytes);
    ASSERT_EQ(within, table.chunk_bytes(id) == bytes ? id : id - 1) << bytes;
    const std::uint32_t picked = table.pick(bytes);
    ASSERT_TRUE(picked == id || (picked == within && within != 0)) << bytes;
    // Partition::class_of() reads a class off an item's size: it must be the one the item was put into.
    const std::uint32_t contiguous = table.contiguous(bytes);
    ASSERT_TRUE(contiguous == 0 || contiguous == id) << bytes;
    if (contiguous == 0) {
      // Then it is chained: the head must hold all that comes before a value.
      const std::uint32_t head = table.chunk_bytes(table.pick(bytes + kTimeBytes + kChainBytes));
      ASSERT_LT(head, bytes + kTimeBytes + kChainBytes) << bytes;
      ASSERT_GT(head, kItemHeaderBytes + kTimeBytes + kChainBytes + kClientFlagsBytes + kGivenCasBytes + kKeyBytesMax)
          << bytes;
    }
  }
  for (const std::uint64_t bytes : {std::uint64_t{page_bytes} + 1, std::uint64_t{1} << 20, std::uint64_t{1} << 32}) {
    ASSERT_EQ(table.smallest(bytes), 0U);
    ASSERT_EQ(table.contiguous(bytes), 0U);
    ASSERT_EQ(table.pick(bytes), table.classes());
  }
}

TEST(SizeTable, HoldsForEveryUsualChoice) {
  for (const std::uint32_t smallest : {32U, 40U, 48U, 49U, 64U, 100U, 333U, 1024U, 5000U, 32'768U}) {
    for (const double factor : {1.08, 1.10, 1.25, 1.5, 2.0, 10.0, 100.0}) {
      SCOPED_TRACE(std::to_string(smallest) + " " + std::to_string(factor));
      if (const auto made = SizeTable::create(smallest, factor)) {
        check(*made, smallest);
      } else {
        EXPECT_LE(factor, 1.10) << made.error().what;
      }
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
  }
}

TEST(SizeTable, HoldsForEveryPage) {
  for (std::uint32_t page_bytes = kPageBytesMin; page_bytes <= kPageBytesMax; page_bytes *= 2) {
    for (const std::uint32_t smallest : {32U, 48U, 100U, 270U, 1024U}) {
      for (const double factor : {1.10, 1.25, 2.0, 100.0}) {
        SCOPED_TRACE(std::to_string(page_bytes) + " " + std::to_string(smallest) + " " + std::to_string(factor));
        if (const auto made = SizeTable::create(smallest, factor, {}, page_bytes)) {
          check(*made, smallest, page_bytes);
        } else {
          EXPECT_LE(factor, 1.10) << made.error().what;
        }
        ASSERT_FALSE(testing::Test::HasFatalFailure());
      }
    }
  }
  EXPECT_FALSE(SizeTable::create(kPageBytesMin / 2 + 1, 1.25, {}, kPageBytesMin).has_value());
}

TEST(SizeTable, TheDefaultIsTheOneInTheReadme) {
  const SizeTable table = table_of(48, 1.10);
  std::string sizes;
  for (std::uint32_t id = 1; id <= table.classes(); ++id) {
    sizes += std::to_string(table.chunk_bytes(id)) + " ";
  }
  EXPECT_EQ(sizes,
            "48 56 64 72 80 88 96 104 112 120 128 136 144 152 168 184 200 216 232 256 280 304 328 360 392 432 472 520 "
            "568 624 680 744 816 896 992 1088 1208 1336 1488 1632 1816 2048 2256 2520 2848 3272 3640 4096 4680 5456 "
            "6552 7280 8192 9360 10920 13104 16384 21840 32768 65536 ");
}

TEST(SizeTable, TheDefaultWastesSixPercentInTheMeanAndAnEighthOfLargeChunks) {
  const SizeTable table = table_of(48, 1.10);
  double wasted = 0;
  std::uint32_t sizes = 0;
  for (std::uint32_t bytes = table.chunk_bytes(1); bytes <= kPageBytes; ++bytes) {
    const std::uint32_t id = table.contiguous(bytes);
    if (bytes <= kPageBytes / 8) {
      wasted += 1.0 - static_cast<double>(bytes) / table.chunk_bytes(id);
      ++sizes;
    } else if (id != 0) {
      ASSERT_LE(table.chunk_bytes(id) - bytes, (table.chunk_bytes(id) >> kWasteShift) + kTimeBytes + kChainBytes)
          << bytes;
    }
  }
  EXPECT_LT(wasted / sizes, 0.06);
}

TEST(SizeTable, TakesSizesThatAreGivenAndCarriesOnByTheFactor) {
  constexpr std::array<std::uint32_t, 5> kSizes{40, 100, 101, 500, 5000};
  const auto made = SizeTable::create(48, 1.5, kSizes);
  ASSERT_TRUE(made.has_value());
  check(*made, 40);
  EXPECT_EQ(made->chunk_bytes(1), 40U);
  EXPECT_EQ(made->chunk_bytes(2), 104U) << "100 and 101 in whole units";
  EXPECT_EQ(made->chunk_bytes(3), 504U);
  EXPECT_EQ(made->chunk_bytes(4), 5040U) << "13 fill a page";
  EXPECT_EQ(made->chunk_bytes(5), 8192U) << "5040 x 1.5 is 7560; eight of it fill a page";
  EXPECT_EQ(made->chunk_bytes(made->classes()), kPageBytes);
}

TEST(SizeTable, RefusesSizesThatCannotBe) {
  for (const std::vector<std::uint32_t>& sizes :
       {std::vector<std::uint32_t>{16}, {64, 64}, {128, 64}, {64, kPageBytes + 1}}) {
    EXPECT_FALSE(SizeTable::create(48, 1.1, sizes).has_value());
  }
  std::vector<std::uint32_t> many;
  for (std::uint32_t bytes = 32; many.size() < 63; bytes += 8) {
    many.push_back(bytes);
  }
  EXPECT_FALSE(SizeTable::create(48, 2.0, many).has_value());
  many.resize(40);
  const auto refused = SizeTable::create(48, 1.01, many);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("works"), std::string::npos);
  EXPECT_TRUE(SizeTable::create(48, 1.5, many).has_value());
}

TEST(SizeTable, NamesAFactorThatWorks) {
  const auto refused = SizeTable::create(48, 1.01);
  ASSERT_FALSE(refused.has_value());
  const std::string& sentence = refused.error().what;
  const std::size_t works = sentence.rfind("; ");
  ASSERT_NE(works, std::string::npos) << sentence;
  const double factor = std::stod(sentence.substr(works + 2));
  EXPECT_TRUE(SizeTable::create(48, factor).has_value()) << sentence;
  EXPECT_FALSE(SizeTable::create(48, factor - 0.01).has_value()) << "and it is the smallest: " << sentence;
}

TEST(SizeTable, RefusesWhatIsNoTable) {
  for (const std::uint32_t bytes : {0U, 1U, 31U, kPageBytes / 2 + 1, 0xffff'ffffU}) {
    EXPECT_FALSE(SizeTable::create(bytes, 1.25).has_value()) << bytes;
  }
  for (const double factor : {1.0, 0.5, 0.0, -2.0, 101.0, std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE(SizeTable::create(48, factor).has_value()) << factor;
  }
}

}  // namespace
}  // namespace millrace::store
