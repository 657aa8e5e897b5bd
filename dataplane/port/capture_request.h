// What an operator asks of a capture, read from one line: DIR[,FRAMES[,BYTES[,SECONDS[,SNAP]]]].
//
// Pure, any thread. Whatever is wrong is refused with a sentence, never guessed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::port {

/// The longest frame of any port: a datagram of 65,535 bytes behind Ethernet and one tag.
inline constexpr std::uint32_t kFrameBytesMax = 65'535 + 18;

/// All limits are of the whole capture, whatever the number of workers.
struct CaptureRequest {
  std::string directory{};  ///< absolute
  std::uint64_t frames_max = 100'000;
  std::uint64_t bytes_max = std::uint64_t{64} << 20;  ///< of all files together
  std::uint64_t seconds_max = 60;
  std::uint32_t snap_bytes = kFrameBytesMax;  ///< of each frame, what is kept

  static constexpr std::uint64_t kFramesMost = 1'000'000'000;
  static constexpr std::uint64_t kBytesLeast = std::uint64_t{64} << 10;
  static constexpr std::uint64_t kBytesMost = std::uint64_t{1} << 40;
  static constexpr std::uint64_t kSecondsMost = 86'400;
  static constexpr std::uint32_t kSnapLeast = 14;  ///< Ethernet's header

  static Result<CaptureRequest> parse(std::string_view line);
};

}  // namespace millrace::port
