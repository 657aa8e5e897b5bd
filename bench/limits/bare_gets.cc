// bare_gets: gets over any DPDK port, served by the driver and the store and nothing between them: what our store
// allows any server on this machine and this port. No stack (a frame's headers are turned round, nothing of them is
// checked), no worker, no counters but the store's. Asked by frame_gets, whose keys it holds, as 10.9.0.2.
//   bare_gets PORT CPU KEYS                                      until its standard input ends
// Values of 64 bytes, flags of five digits, as millrace-load fills them. As many questions as a worker takes in a turn
// are looked up together.
#include <fmt/format.h>
#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_udp.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/huge_memory.h"
#include "base/result.h"
#include "bench/limits/arguments.h"
#include "bench/limits/bare_port.h"
#include "bench/load/workload.h"
#include "protocol/ascii/plain_get.h"
#include "protocol/ascii/value_line.h"
#include "protocol/udp_frame.h"
#include "store/partition.h"

namespace millrace {
namespace {

constexpr std::uint32_t kKeyBytes = 30;
constexpr std::uint32_t kValueBytes = 64;
constexpr std::uint32_t kFlags = 12'345;
constexpr std::uint64_t kSeed = 42;
constexpr std::uint32_t kAddress = RTE_IPV4(10, 9, 0, 2);
constexpr std::uint16_t kTogether = 96;
constexpr std::uint16_t kAhead = 4;

struct [[gnu::packed, gnu::aligned(2)]] Headers {
  rte_ether_hdr ethernet;
  rte_ipv4_hdr ip;
  rte_udp_hdr udp;
};

struct Store {
  HugeMemory memory;
  std::unique_ptr<store::Partition> partition;

  static Result<Store> create(std::uint64_t keys, const load::KeyText& names) {
    auto memory = HugeMemory::reserve({.bytes = (std::size_t{192} << 20) + keys * 170});
    if (!memory) {
      return std::unexpected(memory.error());
    }
    auto partition = store::Partition::create({.arena = memory->bytes(), .hash_seed = kSeed});
    if (!partition) {
      return std::unexpected(partition.error());
    }
    const std::string value(kValueBytes, 'v');
    std::array<char, load::KeyText::kBytesMax> text;
    for (std::uint64_t number = 0; number < keys; ++number) {
      const std::string_view key(text.data(), static_cast<std::size_t>(names.write(number, text.data()) - text.data()));
      if ((*partition)->store({key, hash_key(key, kSeed)}, value, {.flags = kFlags}, 1).outcome !=
          store::Outcome::Stored) {
        return fail("the store does not hold so many keys");
      }
    }
    return Store{std::move(*memory), std::move(*partition)};
  }
};

class Server {
 public:
  Server(const Port& port, store::Partition& partition) : port_(port), partition_(partition) {
    (void)rte_eth_macaddr_get(port.id, &own_mac_);
  }

  void turn() {
    rte_mbuf* frames[kTogether];
    const std::uint16_t got = rte_eth_rx_burst(port_.id, 0, frames, kTogether);
    std::uint16_t count = 0;
    for (std::uint16_t i = 0; i < got; ++i) {
      if (i + kAhead < got) {
        rte_prefetch0(rte_pktmbuf_mtod(frames[i + kAhead], void*));
      }
      const std::string_view key = key_of(*frames[i]);
      if (key.empty()) {
        answer_arp(frames[i]);
        continue;
      }
      keys_[count] = {key, hash_key(key, kSeed)};
      frames[count++] = frames[i];
    }
    if (count == 0) {
      return;
    }
    const auto keys = std::span(keys_).first(count);
    partition_.prefetch_all(keys);
    partition_.get_all(keys, 1, std::span(got_).first(count));
    for (std::uint16_t i = 0; i < count; ++i) {
      answer(*frames[i], keys_[i].bytes, got_[i]);
    }
    std::uint16_t sent = 0;
    for (int tries = 0; sent < count && tries < 64; ++tries) {
      sent = static_cast<std::uint16_t>(
          sent + rte_eth_tx_burst(port_.id, 0, frames + sent, static_cast<std::uint16_t>(count - sent)));
    }
    rte_pktmbuf_free_bulk(frames + sent, static_cast<unsigned>(count - sent));
  }

 private:
  /// None: it is no get.
  static std::string_view key_of(const rte_mbuf& mbuf) {
    const auto* headers = rte_pktmbuf_mtod(&mbuf, const Headers*);
    constexpr std::size_t kBefore = sizeof(Headers) + protocol::kUdpHeaderBytes;
    if (mbuf.data_len < kBefore || headers->ethernet.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
      return {};
    }
    return protocol::ascii::plain_get_key(
        {reinterpret_cast<const char*>(headers) + kBefore, std::size_t{mbuf.data_len} - kBefore});
  }

  /// Behind the question, in its packet.
  static void answer(rte_mbuf& mbuf, std::string_view key, const store::Partition::Got& got) {
    const auto* asked = rte_pktmbuf_mtod(&mbuf, const Headers*);
    auto* headers = reinterpret_cast<Headers*>(rte_pktmbuf_mtod_offset(&mbuf, char*, mbuf.data_len));
    char* const payload = reinterpret_cast<char*>(headers + 1);
    std::memcpy(payload, reinterpret_cast<const char*>(asked + 1), protocol::kUdpHeaderBytes);
    char* at = payload + protocol::kUdpHeaderBytes;
    if (got.item != nullptr) {
      at = protocol::ascii::write_value_line_here(at, key, got.client_flags, got.value_bytes);
      std::memcpy(at, got.value, kValueBytes);
      at = protocol::ascii::write_text(at + kValueBytes, "\r\n");
    }
    at = protocol::ascii::write_text(at, "END\r\n");
    headers->ethernet = {.dst_addr = asked->ethernet.src_addr,
                         .src_addr = asked->ethernet.dst_addr,
                         .ether_type = asked->ethernet.ether_type};
    headers->ip = asked->ip;
    headers->ip.src_addr = asked->ip.dst_addr;
    headers->ip.dst_addr = asked->ip.src_addr;
    headers->udp = {.src_port = asked->udp.dst_port, .dst_port = asked->udp.src_port, .dgram_len = 0, .dgram_cksum = 0};
    const auto bytes = static_cast<std::uint16_t>(at - payload);
    headers->udp.dgram_len = rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof headers->udp + bytes));
    headers->ip.total_length =
        rte_cpu_to_be_16(static_cast<std::uint16_t>(sizeof headers->ip + sizeof headers->udp + bytes));
    headers->ip.hdr_checksum = 0;
    headers->ip.hdr_checksum = rte_ipv4_cksum(&headers->ip);
    mbuf.data_off = static_cast<std::uint16_t>(mbuf.data_off + mbuf.data_len);
    mbuf.data_len = static_cast<std::uint16_t>(sizeof *headers + bytes);
    mbuf.pkt_len = mbuf.data_len;
  }

  /// Takes the frame.
  void answer_arp(rte_mbuf* mbuf) {
    struct [[gnu::packed, gnu::aligned(2)]] Arp {
      rte_ether_hdr ethernet;
      rte_arp_hdr arp;
    };
    auto* frame = rte_pktmbuf_mtod(mbuf, Arp*);
    if (mbuf->data_len < sizeof *frame || frame->ethernet.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) ||
        frame->arp.arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
        frame->arp.arp_data.arp_tip != rte_cpu_to_be_32(kAddress)) {
      rte_pktmbuf_free(mbuf);
      return;
    }
    const rte_arp_ipv4 asked = frame->arp.arp_data;
    frame->ethernet.dst_addr = asked.arp_sha;
    frame->ethernet.src_addr = own_mac_;
    frame->arp.arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
    frame->arp.arp_data = {
        .arp_sha = own_mac_, .arp_sip = asked.arp_tip, .arp_tha = asked.arp_sha, .arp_tip = asked.arp_sip};
    if (rte_eth_tx_burst(port_.id, 0, &mbuf, 1) == 0) {
      rte_pktmbuf_free(mbuf);
    }
  }

  Port port_;
  store::Partition& partition_;
  rte_ether_addr own_mac_{};
  std::array<store::Key, kTogether> keys_;
  std::array<store::Partition::Got, kTogether> got_;
};

int run(int argc, char** argv) {
  std::uint32_t cpu = 0;
  std::uint64_t keys = 0;
  if (argc != 4 || !parse_number(argv[2], cpu) || !parse_number(argv[3], keys) || keys == 0) {
    fmt::print(stderr, "usage: bare_gets PORT CPU KEYS\n");
    return 2;
  }
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "bare_gets: {}\n", error.what);
    return 1;
  };
  const auto names = load::KeyText::make(kKeyBytes, keys);
  if (!names) {
    return complain(names.error());
  }
  const auto own = open_own_port(argv[1], cpu);
  if (!own) {
    return complain(own.error());
  }
  const Port& port = own->port;
  auto store = Store::create(keys, *names);
  if (!store) {
    return complain(store.error());
  }
  fmt::print("ready {}\n", port.driver);
  std::fflush(stdout);
  Server server(port, *store->partition);
  for (std::uint64_t turns = 0; ++turns % 65'536 != 0 || !input_ended();) {
    server.turn();
  }
  close_port(port);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) { return millrace::run(argc, argv); }
