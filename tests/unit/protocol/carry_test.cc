// When there is no memory for a carry: the connection is told and closed, and nothing is touched that is not there.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "expect.h"

namespace {
bool allocation_fails = false;
}

// The program's own: only the non-throwing form of new[], which nothing but the carry uses here.
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return allocation_fails ? nullptr : std::malloc(bytes);
}
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
void* operator new[](std::size_t bytes) {
  if (void* at = std::malloc(bytes)) {
    return at;
  }
  std::abort();
}

namespace millrace::tests {
namespace {

TEST(Carry, WithoutMemoryTheConnectionIsClosed) {
  allocation_fails = true;
  const Transcript line = transcript("get a");
  const Transcript cut = transcript("get a\r\n", cut_every(3));
  std::string keys = "get";
  while (keys.size() < 3000) {
    keys += " key";
  }
  const Transcript streamed = transcript(keys);
  const Transcript whole = transcript("get a\r\nset a 0 0 1\r\nx\r\n");
  allocation_fails = false;
  EXPECT_EQ(line.events, Events{"close SERVER_ERROR Out of memory during read"});
  EXPECT_EQ(cut.events, Events{"close SERVER_ERROR Out of memory during read"});
  EXPECT_EQ(streamed.events, Events{"close SERVER_ERROR Out of memory during read"});
  EXPECT_EQ(whole.events, (Events{"get a", "set a value=x"})) << "what is never cut needs none";
}

}  // namespace
}  // namespace millrace::tests
