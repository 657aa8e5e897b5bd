#include "bench/load/trace.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <list>
#include <map>

#include "bench/load/clock_model.h"
#include "bench/load/prng.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

class TraceFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("millrace-trace-" + std::to_string(getpid()));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Result<Trace> read_plain(const std::string& text, std::uint64_t records_max = UINT64_MAX) {
    std::ofstream(path_, std::ios::binary) << text;
    return read_trace(path_, records_max);
  }
  void write_gzip(const std::string& text) {
    gzFile file = gzopen(path_.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
  }

  std::filesystem::path path_;
};

TEST_F(TraceFile, ReadsAllForms) {
  const auto trace = read_plain("# a comment\n0 512\n1 30 3600 get\n\n0 512 7200 set\r\nuser:77 9 60\n1 30");
  ASSERT_TRUE(trace) << trace.error().what;
  ASSERT_EQ(trace->records.size(), 5U);
  EXPECT_EQ(trace->keys, 3U);
  EXPECT_EQ(trace->value_bytes_max, 512U);
  EXPECT_EQ(trace->records[1].key, 1U);
  EXPECT_EQ(trace->records[1].ttl_s, 3600U);
  EXPECT_FALSE(trace->records[1].is_set);
  EXPECT_EQ(trace->records[2].key, 0U);
  EXPECT_TRUE(trace->records[2].is_set);
  EXPECT_EQ(trace->records[3].key, 2U);
  EXPECT_EQ(trace->records[3].ttl_s, 60U);
  EXPECT_EQ(trace->records[4].key, 1U);
  EXPECT_EQ(trace->footprint_bytes(10), 512U + 30U + 9U + 3 * 10U);
}

TEST_F(TraceFile, ReadsWhenRequestsWereMade) {
  const auto trace = read_plain("0 512 0 get 1700000000.25\n1 30 60 set 1700000000.25\n0 512 0 get 1700000003\n");
  ASSERT_TRUE(trace) << trace.error().what;
  ASSERT_EQ(trace->times.size(), 3U);
  EXPECT_EQ(trace->times[0], Duration{});
  EXPECT_EQ(trace->times[1], Duration{});
  EXPECT_EQ(trace->times[2], milliseconds(2750));
  EXPECT_TRUE(trace->records[1].is_set);
  EXPECT_TRUE(read_plain("0 5\n1 6 7 get\n")->times.empty());
  for (const char* const text :
       {"0 5 0 get 1\n0 5\n", "0 5 0 get 1\n0 5 0 get\n", "0 5 0 get\n0 5 0 get 1\n", "0 5 0 get 2\n0 5 0 get 1\n",
        "0 5 0 get 2\n0 5 0 get x\n", "0 5 0 get 2\n0 5 0 get 3 4\n", "0 5 0 get 2\n0 5 0 get inf\n",
        "0 5 0 get 2\n0 5 0 get nan\n", "0 5 0 get 2\n0 5 0 get 1e300\n"}) {
    const auto wrong = read_plain(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_NE(wrong.error().what.find("Line 2"), std::string::npos) << wrong.error().what;
  }
}

TEST_F(TraceFile, GzipGivesTheSame) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += std::to_string(i % 777) + " " + std::to_string(100 + i % 777) + "\n";
  }
  const auto plain = read_plain(text);
  write_gzip(text);
  const auto packed = read_trace(path_, UINT64_MAX);
  ASSERT_TRUE(plain);
  ASSERT_TRUE(packed);
  ASSERT_EQ(packed->records.size(), 20'000U);
  EXPECT_EQ(packed->keys, 777U);
  for (std::size_t i = 0; i < packed->records.size(); ++i) {
    ASSERT_EQ(packed->records[i].key, plain->records[i].key);
    ASSERT_EQ(packed->records[i].value_bytes, plain->records[i].value_bytes);
  }
}

TEST_F(TraceFile, SaysWhatIsWrongAndWhere) {
  for (const char* const text : {"0 512\n1\n", "0 512\n1 x\n", "0 512\n1 5 x\n", "0 512\n1 5 6 delete\n",
                                 "0 512\n1 5 6 get more\n", "0 512\n1 -5\n", "0 512\n1 2000000000\n"}) {
    const auto trace = read_plain(text);
    ASSERT_FALSE(trace) << text;
    EXPECT_NE(trace.error().what.find("Line 2"), std::string::npos) << trace.error().what;
  }
  EXPECT_FALSE(read_plain(""));
  EXPECT_FALSE(read_plain(std::string(10'000, '7')));
  EXPECT_FALSE(read_trace("/nonexistent/trace", UINT64_MAX));
}

TEST_F(TraceFile, ACutOffGzipIsAnError) {
  Prng prng(1);
  std::string text;
  for (int i = 0; i < 50'000; ++i) {
    text += std::to_string(prng.below(1'000'000)) + " 100\n";
  }
  write_gzip(text);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  const auto trace = read_trace(path_, UINT64_MAX);
  ASSERT_FALSE(trace);
}

TEST_F(TraceFile, TakesNoMoreThanAsked) {
  const auto trace = read_plain("0 1\n1 2\n2 3\nthis is no record\n", 2);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->records.size(), 2U);
}

// Three items of 10 + 22 + 8 = 40 bytes fit 120.
TEST(ClockModel, WorksAsByHand) {
  ClockModel model(120, 6, 10);
  const auto read = [&](std::uint32_t key) {
    const std::uint64_t before = model.hits();
    model.replay({.key = key, .value_bytes = 8, .ttl_s = 0, .is_set = false});
    return model.hits() > before;
  };
  EXPECT_FALSE(read(0));
  EXPECT_FALSE(read(1));
  EXPECT_FALSE(read(2));
  EXPECT_EQ(model.used_bytes(), 120U);
  EXPECT_TRUE(read(0));   // 0: count 1
  EXPECT_FALSE(read(3));  // hand: 0 goes back with 0, 1 goes. Oldest first: 2 0 3
  EXPECT_FALSE(read(1));  // 2 goes: 0 3 1
  EXPECT_TRUE(read(0));
  EXPECT_TRUE(read(0));   // 0: count 2
  EXPECT_FALSE(read(4));  // 0 goes back with 1, 3 goes: 1 0 4
  EXPECT_FALSE(read(5));  // 1 goes: 0 4 5
  EXPECT_FALSE(read(2));  // 0 goes back with 0, 4 goes: 5 0 2
  EXPECT_FALSE(read(4));  // 5 goes: 0 2 4
  EXPECT_TRUE(read(2));
  EXPECT_FALSE(read(1));  // 0 goes at last: 2 4 1
  EXPECT_FALSE(read(0));
  EXPECT_EQ(model.items(), 3U);
  EXPECT_EQ(model.used_bytes(), 120U);
  EXPECT_EQ(model.gets(), 15U);
  EXPECT_EQ(model.hits(), 4U);
}

TEST(ClockModel, CountsUpToThreeOnly) {
  ClockModel model(80, 10, 10);  // two items
  const auto read = [&](std::uint32_t key) {
    model.replay({.key = key, .value_bytes = 8, .ttl_s = 0, .is_set = false});
  };
  read(0);
  for (int i = 0; i < 100; ++i) {
    read(0);
  }
  for (std::uint32_t key = 1; key <= 4; ++key) {
    read(key);  // each passes 0 once: 3, 2, 1, then 0 is left with none
  }
  read(5);
  const std::uint64_t before = model.hits();
  read(0);
  EXPECT_EQ(model.hits(), before);
}

TEST(ClockModel, DoesNotAdmitWhatIsLargerThanAll) {
  ClockModel model(100, 2, 10);
  model.set(0, 8);
  model.set(1, 1000);
  EXPECT_FALSE(model.get(1));
  EXPECT_TRUE(model.get(0));
  model.set(0, 1000);  // what it replaced is gone all the same
  EXPECT_FALSE(model.get(0));
  EXPECT_EQ(model.used_bytes(), 0U);
}

/// The same policy, written as plainly as can be.
class PlainClock {
 public:
  PlainClock(std::uint64_t memory, std::uint32_t beside) : memory_(memory), beside_(beside) {}
  bool get(std::uint32_t key) {
    for (auto& item : queue_) {
      if (item.key == key) {
        item.count = std::min(item.count + 1, 3);
        return true;
      }
    }
    return false;
  }
  void set(std::uint32_t key, std::uint32_t size) {
    queue_.remove_if([&](const Item& item) { return item.key == key; });
    if (size + beside_ > memory_) {
      return;
    }
    while (used() + size + beside_ > memory_) {
      Item oldest = queue_.front();
      queue_.pop_front();
      if (oldest.count > 0) {
        --oldest.count;
        queue_.push_back(oldest);
      }
    }
    queue_.push_back({key, size, 0});
  }

 private:
  struct Item {
    std::uint32_t key;
    std::uint32_t size;
    int count;
  };
  [[nodiscard]] std::uint64_t used() const {
    std::uint64_t bytes = 0;
    for (const Item& item : queue_) {
      bytes += item.size + beside_;
    }
    return bytes;
  }
  std::uint64_t memory_;
  std::uint32_t beside_;
  std::list<Item> queue_;
};

TEST(ClockModel, AgreesWithThePlainForm) {
  Prng prng(test_seed());
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t memory = 500 + prng.below(3000);
    ClockModel model(memory, 60, 10);
    PlainClock plain(memory, 10 + ClockModel::kOverheadBytes);
    for (int i = 0; i < 2000; ++i) {
      const auto key = static_cast<std::uint32_t>(prng.below(1 + prng.below(60)));
      const auto size = static_cast<std::uint32_t>(prng.below(200));
      if (prng.below(10) == 0) {
        model.set(key, size);
        plain.set(key, size);
      } else {
        const bool hit = model.get(key);
        ASSERT_EQ(hit, plain.get(key));
        if (!hit) {
          model.set(key, size);
          plain.set(key, size);
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::load
