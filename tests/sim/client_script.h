// A client that knows what must come back: it keeps a map of its own keys and writes, with each command, the reply that
// memcached's rules demand. Its keys are nobody else's, so the reply stream is known byte for byte. The protocols have
// one each: text_script.h, meta_script.h, binary_script.h.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::tests {

class ClientScript {
 public:
  ClientScript(std::uint64_t seed, std::string prefix) : random_(seed), prefix_(std::move(prefix)) {}
  virtual ~ClientScript() = default;
  /// Appends one command to `request` and its reply to expected().
  virtual void add_command(std::string& request) = 0;
  /// What was received, without what nobody can foretell.
  [[nodiscard]] virtual std::string comparable(std::string received) const { return received; }
  [[nodiscard]] const std::string& expected() const { return expected_; }

 protected:
  /// With what it is kept short of the largest item.
  static constexpr std::size_t kGrownBytesMax = 600'000;

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  bool maybe(std::uint64_t one_in) { return draw(one_in) == 0; }
  std::string key() { return prefix_ + std::to_string(draw(24)); }
  /// On keys of their own, so that they are always numbers.
  std::string number_key() { return prefix_ + "n" + std::to_string(draw(4)); }
  std::uint32_t flags() { return static_cast<std::uint32_t>(maybe(3) ? random_() : 0); }

  /// Any bytes; mostly short, sometimes longer than travels within a message, now and then one in pieces.
  std::string value() {
    static constexpr std::array<std::size_t, 6> kLimits{4, 300, 1024, 1025, 5000, 200'000};
    std::string bytes(draw(kLimits[draw(maybe(3) ? 6 : 4)] + 1), static_cast<char>('a' + draw(26)));
    for (std::size_t i = 0; i < bytes.size(); i += 1 + draw(97)) {
      bytes[i] = static_cast<char>(random_());
    }
    return bytes;
  }

  std::mt19937_64 random_;
  const std::string prefix_;
  std::string expected_;
};

/// What text and meta commands answer for one value.
inline std::string value_block(std::string_view key, std::uint32_t flags, std::string_view bytes) {
  return "VALUE " + std::string(key) + " " + std::to_string(flags) + " " + std::to_string(bytes.size()) + "\r\n" +
         std::string(bytes) + "\r\n";
}

}  // namespace millrace::tests
