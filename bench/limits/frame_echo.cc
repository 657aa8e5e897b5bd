// frame_echo: UDP requests and replies over any DPDK port with nothing between the driver and the wire: one core
// receives a burst, turns each frame round, gives it the reply's length and sends it. The most that any server on this
// machine and this port could reach with frames of these sizes; our FramePort is not in it.
//   frame_echo server PORT CPU [ITEMS]                           until its standard input ends
//   frame_echo client PORT CPU WINDOW REQUEST REPLY SECONDS      prints one line of JSON
// With ITEMS the server also reads for each frame what a get of one among so many has to: a line of a table, and the
// item that it names, whose value it puts into the reply. Nothing is parsed, hashed, compared or counted: what is left
// is the machine's own limit for gets over this port. WINDOW requests are in flight; REQUEST and REPLY are UDP payload
// bytes. Both sides poll, in bursts of 32, and are pinned. Distance of the two cores decides everything: measure it
// with c2c before and after (frame_echo.py does).
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_udp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/attributes.h"
#include "base/huge_memory.h"
#include "base/result.h"
#include "bench/limits/arguments.h"
#include "bench/limits/bare_port.h"

namespace millrace {
namespace {

constexpr unsigned kSampleEach = 16;
constexpr std::size_t kSamplesMax = 1 << 20;

/// The frame as far as both sides look into it; REPLY travels in the request.
struct [[gnu::packed, gnu::aligned(2)]] Frame {
  rte_ether_hdr ethernet;
  rte_ipv4_hdr ip;
  rte_udp_hdr udp;
  std::uint64_t sent_at;
  std::uint16_t reply_bytes;
};
constexpr std::uint16_t kHeaderBytes = offsetof(Frame, sent_at);
constexpr std::uint16_t kPayloadMin = sizeof(Frame) - kHeaderBytes;
constexpr std::uint16_t kPayloadMax = 1472;

/// False: not one of ours.
bool turn_round(rte_mbuf& mbuf) {
  auto* frame = rte_pktmbuf_mtod(&mbuf, Frame*);
  if (mbuf.data_len < sizeof(Frame) || frame->ethernet.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
      frame->ip.next_proto_id != IPPROTO_UDP) {
    return false;
  }
  const std::uint16_t payload = std::clamp(frame->reply_bytes, kPayloadMin, kPayloadMax);
  const rte_ether_addr ethernet = frame->ethernet.dst_addr;
  frame->ethernet.dst_addr = frame->ethernet.src_addr;
  frame->ethernet.src_addr = ethernet;
  const rte_be32_t address = frame->ip.src_addr;
  frame->ip.src_addr = frame->ip.dst_addr;
  frame->ip.dst_addr = address;
  const rte_be16_t port = frame->udp.src_port;
  frame->udp.src_port = frame->udp.dst_port;
  frame->udp.dst_port = port;
  frame->udp.dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof(rte_udp_hdr) + payload));
  frame->udp.dgram_cksum = 0;
  frame->ip.total_length =
      rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof(rte_ipv4_hdr) + sizeof(rte_udp_hdr) + payload));
  frame->ip.hdr_checksum = 0;
  frame->ip.hdr_checksum = rte_ipv4_cksum(&frame->ip);
  mbuf.data_len = static_cast<std::uint16_t>(kHeaderBytes + payload);
  mbuf.pkt_len = mbuf.data_len;
  return true;
}

/// Uniform reads of a table far larger than the caches, asked for a burst at a time. Of the sizes that 10 million items
/// of 30 B keys and 64 B values have in Millrace: nine to a bucket of a line, 112 bytes each.
class Table {
 public:
  static Result<Table> create(std::uint32_t items) {
    Table table;
    table.buckets_ = items / kItemsPerBucket + 1;
    table.items_at_ = std::size_t{table.buckets_} * kCacheLineBytes;
    auto memory = HugeMemory::reserve({.bytes = table.items_at_ + std::size_t{items} * kItemBytes});
    if (!memory) {
      return std::unexpected(memory.error());
    }
    if (auto done = memory->fault_in(); !done) {
      return std::unexpected(done.error());
    }
    table.memory_.emplace(std::move(*memory));
    for (std::uint32_t i = 0; i < table.buckets_; ++i) {
      const std::uint32_t item = table.draw(items);
      std::memcpy(table.bucket(i), &item, sizeof item);
    }
    return table;
  }

  /// Puts a value into each reply, as far as there is room.
  void read_for(std::span<rte_mbuf*> frames) {
    std::uint32_t places[kBurst];
    const std::byte* items[kBurst];
    for (std::size_t i = 0; i < frames.size(); ++i) {
      places[i] = draw(buckets_);
      rte_prefetch0(bucket(places[i]));
    }
    for (std::size_t i = 0; i < frames.size(); ++i) {
      std::uint32_t item = 0;
      std::memcpy(&item, bucket(places[i]), sizeof item);
      items[i] = memory_->bytes().data() + items_at_ + std::size_t{item} * kItemBytes;
      rte_prefetch0(items[i]);
      rte_prefetch0(items[i] + kCacheLineBytes);
      rte_prefetch0(items[i] + kItemBytes - 1);
    }
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (frames[i]->data_len >= sizeof(Frame) + kValueBytes) {
        std::memcpy(rte_pktmbuf_mtod_offset(frames[i], char*, sizeof(Frame)), items[i] + kItemBytes - kValueBytes,
                    kValueBytes);
      }
    }
  }

 private:
  static constexpr std::uint32_t kItemsPerBucket = 9;
  static constexpr std::size_t kItemBytes = 112;
  static constexpr std::size_t kValueBytes = 64;

  Table() = default;
  [[nodiscard]] std::byte* bucket(std::uint32_t number) {
    return memory_->bytes().data() + std::size_t{number} * kCacheLineBytes;
  }
  /// Below `end` (G. Marsaglia, "Xorshift RNGs", 2003).
  std::uint32_t draw(std::uint32_t end) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<std::uint32_t>((random_ >> 32) * end >> 32);
  }

  std::optional<HugeMemory> memory_;
  std::size_t items_at_ = 0;
  std::uint32_t buckets_ = 0;
  std::uint64_t random_ = 88172645463325252ULL;
};

int serve(const Port& port, std::optional<Table>& table) {
  fmt::print("ready {}\n", port.driver);
  std::fflush(stdout);
  std::uint64_t polls = 0;
  while (++polls % 65'536 != 0 || !input_ended()) {
    rte_mbuf* frames[kBurst];
    const std::uint16_t got = rte_eth_rx_burst(port.id, 0, frames, kBurst);
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < got; ++i) {
      if (turn_round(*frames[i])) {
        frames[kept++] = frames[i];
      } else {
        rte_pktmbuf_free(frames[i]);
      }
    }
    if (table) {
      table->read_for({frames, kept});
    }
    std::uint16_t sent = 0;
    for (int tries = 0; sent < kept && tries < 64; ++tries) {
      sent = static_cast<std::uint16_t>(
          sent + rte_eth_tx_burst(port.id, 0, frames + sent, static_cast<std::uint16_t>(kept - sent)));
    }
    rte_pktmbuf_free_bulk(frames + sent, static_cast<unsigned>(kept - sent));
  }
  return 0;
}

struct Load {
  unsigned window = 0;
  std::uint16_t request_bytes = 0;
  std::uint16_t reply_bytes = 0;
  unsigned seconds = 0;
};

Frame request_of(const Load& load) {
  Frame frame{};
  frame.ethernet = {.dst_addr = {{2, 0, 0, 0, 0, 2}},
                    .src_addr = {{2, 0, 0, 0, 0, 1}},
                    .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)};
  frame.ip.version_ihl = RTE_IPV4_VHL_DEF;
  frame.ip.time_to_live = 64;
  frame.ip.next_proto_id = IPPROTO_UDP;
  frame.ip.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 9, 0, 1));
  frame.ip.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 9, 0, 2));
  frame.ip.total_length =
      rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof(rte_ipv4_hdr) + sizeof(rte_udp_hdr) + load.request_bytes));
  frame.ip.hdr_checksum = rte_ipv4_cksum(&frame.ip);
  frame.udp.src_port = rte_cpu_to_be_16(40'000);
  frame.udp.dst_port = rte_cpu_to_be_16(11'211);
  frame.udp.dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof(rte_udp_hdr) + load.request_bytes));
  frame.reply_bytes = load.reply_bytes;
  return frame;
}

class Client {
 public:
  Client(const Port& port, const Load& load) : port_(port), load_(load), request_(request_of(load)) {
    samples_.reserve(kSamplesMax);
  }

  int run() {
    const std::uint64_t hz = rte_get_tsc_hz();
    go_on_until(rte_rdtsc() + hz / 4);
    received_ = 0;
    samples_.clear();
    const std::uint64_t begin = rte_rdtsc();
    go_on_until(begin + load_.seconds * hz);
    const double seconds = static_cast<double>(rte_rdtsc() - begin) / static_cast<double>(hz);
    std::ranges::sort(samples_);
    fmt::print(
        "{{\"driver\":\"{}\",\"window\":{},\"request_bytes\":{},\"reply_bytes\":{},\"replies_per_s\":{:.0f},"
        "\"p50_us\":{:.2f},\"p99_us\":{:.2f},\"lost\":{}}}\n",
        port_.driver, load_.window, load_.request_bytes, load_.reply_bytes, static_cast<double>(received_) / seconds,
        percentile_us(samples_, 0.5), percentile_us(samples_, 0.99), loop_.lost());
    return received_ > 0 ? 0 : 1;
  }

 private:
  void go_on_until(std::uint64_t end) {
    loop_.go_on_until(
        end,
        [&](rte_mbuf& mbuf, unsigned, std::uint64_t now) {
          request_.sent_at = now;
          std::memcpy(rte_pktmbuf_mtod(&mbuf, void*), &request_, sizeof request_);
          mbuf.data_len = static_cast<std::uint16_t>(kHeaderBytes + load_.request_bytes);
          mbuf.pkt_len = mbuf.data_len;
        },
        [&](const rte_mbuf& mbuf, std::uint64_t now) { return take(mbuf, now); });
  }
  bool take(const rte_mbuf& mbuf, std::uint64_t now) {
    const auto* frame = rte_pktmbuf_mtod(&mbuf, const Frame*);
    if (mbuf.data_len != kHeaderBytes + load_.reply_bytes || frame->udp.dst_port != request_.udp.src_port) {
      return false;
    }
    if (received_++ % kSampleEach == 0 && samples_.size() < kSamplesMax) {
      samples_.push_back(now - frame->sent_at);
    }
    return true;
  }

  Port port_;
  Load load_;
  Frame request_;
  ClosedLoop loop_{port_, load_.window};
  std::uint64_t received_ = 0;
  std::vector<std::uint64_t> samples_;
};

int usage() {
  fmt::print(stderr,
             "usage: frame_echo server PORT CPU [ITEMS]\n"
             "       frame_echo client PORT CPU WINDOW REQUEST REPLY SECONDS   (UDP payload bytes, {} to {})\n",
             kPayloadMin, kPayloadMax);
  return 2;
}

int run(int argc, char** argv) {
  Load load;
  std::uint32_t cpu = 0;
  const std::string_view role = argc > 1 ? argv[1] : "";
  const bool is_client = role == "client";
  std::uint32_t items = 0;
  const auto is_payload = [](std::uint16_t bytes) { return bytes >= kPayloadMin && bytes <= kPayloadMax; };
  if (!(is_client ? argc == 8 : role == "server" && (argc == 4 || (argc == 5 && parse_number(argv[4], items)))) ||
      !parse_number(argv[3], cpu) ||
      (is_client &&
       (!parse_number(argv[4], load.window) || !parse_number(argv[5], load.request_bytes) ||
        !parse_number(argv[6], load.reply_bytes) || !parse_number(argv[7], load.seconds) || load.window == 0 ||
        load.window > kDescriptors || !is_payload(load.request_bytes) || !is_payload(load.reply_bytes)))) {
    return usage();
  }
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "frame_echo: {}\n", error.what);
    return 1;
  };
  const auto own = open_own_port(argv[2], cpu);
  if (!own) {
    return complain(own.error());
  }
  const Port& port = own->port;
  int status = 1;
  if (!is_client) {
    std::optional<Table> table;
    if (items > 0) {
      auto made = Table::create(items);
      if (!made) {
        return complain(made.error());
      }
      table.emplace(std::move(*made));
    }
    status = serve(port, table);
  } else if (await_link(port)) {
    ::usleep(200'000);  // the other side sees it, too
    status = Client(port, load).run();
  } else {
    fmt::print(stderr, "frame_echo: nobody at the other end\n");
  }
  close_port(port);
  return status;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) { return millrace::run(argc, argv); }
