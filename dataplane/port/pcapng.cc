#include "dataplane/port/pcapng.h"

#include <cstring>

namespace millrace::port {
namespace {

constexpr std::uint32_t kSection = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kStatistics = 5;
constexpr std::uint32_t kEnhancedPacket = 6;

/// A block: its length stands at both ends, and is known when all of it is there.
class Block {
 public:
  Block(std::vector<std::byte>& out, std::uint32_t type) : out_(out), begin_(out.size()) {
    put(type);
    put<std::uint32_t>(0);
  }
  ~Block() {
    const auto bytes = static_cast<std::uint32_t>(out_.size() - begin_ + sizeof(std::uint32_t));
    std::memcpy(out_.data() + begin_ + sizeof(std::uint32_t), &bytes, sizeof bytes);
    put(bytes);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  template <typename Number>
  void put(Number number) {
    put_padded(std::as_bytes(std::span(&number, 1)), 1);
  }
  void put_padded(std::span<const std::byte> bytes, std::size_t multiple = 4) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    out_.resize(out_.size() + (multiple - bytes.size() % multiple) % multiple);
  }
  void put_stamp(std::uint64_t at_ns) {
    put(static_cast<std::uint32_t>(at_ns >> 32));
    put(static_cast<std::uint32_t>(at_ns));
  }
  void put_option(std::uint16_t code, std::span<const std::byte> value) {
    put(code);
    put(static_cast<std::uint16_t>(value.size()));
    put_padded(value);
  }
  template <typename Number>
  void put_number_option(std::uint16_t code, Number number) {
    put_option(code, std::as_bytes(std::span(&number, 1)));
  }
  void put_stamp_option(std::uint16_t code, std::uint64_t at_ns) {
    put(code);
    put<std::uint16_t>(8);
    put_stamp(at_ns);
  }
  void end_options() { put<std::uint32_t>(0); }

 private:
  std::vector<std::byte>& out_;
  std::size_t begin_;
};

}  // namespace

void append_section(std::vector<std::byte>& out) {
  Block block(out, kSection);
  block.put<std::uint32_t>(0x1a2b3c4d);
  block.put<std::uint16_t>(1);
  block.put<std::uint16_t>(0);
  block.put<std::int64_t>(-1);
}

void append_interface(std::vector<std::byte>& out, std::string_view name, std::uint32_t snap_bytes) {
  Block block(out, kInterface);
  block.put<std::uint16_t>(1);  // Ethernet
  block.put<std::uint16_t>(0);
  block.put(snap_bytes);
  block.put_option(2, std::as_bytes(std::span(name)));        // if_name
  block.put_number_option<std::uint8_t>(9, std::uint8_t{9});  // if_tsresol
  block.end_options();
}

void append_frame(std::vector<std::byte>& out, std::uint64_t at_ns, Direction direction, std::uint32_t frame_bytes,
                  std::span<const std::byte> kept) {
  Block block(out, kEnhancedPacket);
  block.put<std::uint32_t>(0);  // interface
  block.put_stamp(at_ns);
  block.put(static_cast<std::uint32_t>(kept.size()));
  block.put(frame_bytes);
  block.put_padded(kept);
  block.put_number_option(2, static_cast<std::uint32_t>(direction));  // epb_flags
  block.end_options();
}

void append_statistics(std::vector<std::byte>& out, std::uint64_t start_ns, std::uint64_t end_ns, std::uint64_t passed,
                       std::uint64_t dropped) {
  Block block(out, kStatistics);
  block.put<std::uint32_t>(0);  // interface
  block.put_stamp(end_ns);
  block.put_stamp_option(2, start_ns);  // isb_starttime
  block.put_stamp_option(3, end_ns);    // isb_endtime
  block.put_number_option(4, passed);   // isb_ifrecv
  block.put_number_option(5, dropped);  // isb_ifdrop
  block.end_options();
}

}  // namespace millrace::port
