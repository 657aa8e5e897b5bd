// A stream and the requests it stands for, checked whole, byte by byte, and cut in two.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/protocol_transcript.h"

namespace millrace::tests {

using Events = std::vector<std::string>;

/// All of a short stream; of a long one some all over, and those where a line gets too long to be kept.
inline std::vector<std::size_t> places_to_cut(std::size_t bytes) {
  const auto is_at_limit = [](std::size_t place) {
    return place + 8 > protocol::kLineBytesMax && place < protocol::kLineBytesMax + 8;
  };
  const std::size_t step = bytes <= 600 ? 1 : 1 + bytes / 40;
  std::vector<std::size_t> places;
  for (std::size_t place = 1; place < bytes; ++place) {
    if (place % step == 0 || is_at_limit(place)) {
      places.push_back(place);
    }
  }
  return places;
}

inline void expect_found(std::string_view stream, const Events& events, const protocol::SessionOptions& options = {}) {
  const Transcript whole = transcript(stream, cut_nowhere(), options);
  EXPECT_EQ(whole.events, events) << "stream " << readable(stream);
  EXPECT_EQ(whole.breach, "") << "stream " << readable(stream);
  for (const std::size_t place : places_to_cut(stream.size())) {
    bool is_first = true;
    const Cut cut = [&is_first, place](std::size_t unread) {
      const std::size_t bytes = is_first ? place : unread;
      is_first = false;
      return bytes;
    };
    EXPECT_EQ(transcript(stream, cut, options), whole) << "stream " << readable(stream) << " cut at " << place;
  }
  EXPECT_EQ(transcript(stream, cut_every(1), options), whole) << "stream " << readable(stream) << " byte by byte";
}

inline const std::string kBad = "error CLIENT_ERROR bad command line format";
inline const std::string kBadTime = "error CLIENT_ERROR invalid exptime argument";
inline const std::string kBadNumber = "error CLIENT_ERROR invalid numeric delta argument";
inline const std::string kBadBlock = "error CLIENT_ERROR bad data chunk";
inline const std::string kUnknown = "error ERROR";
inline const std::string kSilent = "error ";  ///< noreply

}  // namespace millrace::tests
