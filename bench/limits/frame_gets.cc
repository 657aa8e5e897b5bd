// frame_gets: memcached gets over any DPDK port, from a client that is nothing but the driver and prepared frames: so
// that a server is measured and not the generator. What frame_echo's client is to an echo, with the same window.
//   frame_gets PORT CPU WINDOW KEYS ORDER SECONDS SEED        prints one line of JSON
// KEYS keys of 30 bytes as millrace-load names them, which the server at 10.9.0.2 port 11211 must hold; ORDER uniform
// or zipf (0.99). This side is 10.9.0.1: it asks for the server's address and says its own when asked (ARP).
#include <fmt/format.h>
#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "bench/limits/arguments.h"
#include "bench/limits/bare_port.h"
#include "bench/load/key_sequence.h"
#include "bench/load/workload.h"
#include "protocol/udp_frame.h"

namespace millrace {
namespace {

constexpr std::uint32_t kKeyBytes = 30;
constexpr std::size_t kRequests = 1 << 20;  // prepared; then they come again
constexpr std::size_t kSamplesMax = 1 << 20;
constexpr unsigned kSampleEach = 16;
constexpr double kZipfExponent = 0.99;
constexpr std::uint32_t kOwnAddress = RTE_IPV4(10, 9, 0, 1);
constexpr std::uint32_t kServerAddress = RTE_IPV4(10, 9, 0, 2);
constexpr std::string_view kMiss = "END\r\n";

struct [[gnu::packed, gnu::aligned(2)]] Question {
  rte_ether_hdr ethernet;
  rte_ipv4_hdr ip;
  rte_udp_hdr udp;
  std::uint16_t request_id;
  std::uint16_t sequence;
  std::uint16_t total;
  std::uint16_t reserved;
  char get[4];
  char key[kKeyBytes];
  char end[2];
};
constexpr std::size_t kPayloadAt = offsetof(Question, request_id);

struct Load {
  unsigned window = 0;
  std::uint64_t keys = 0;
  load::KeyOrder order{};
  std::string_view order_word;
  unsigned seconds = 0;
  std::uint64_t seed = 0;
};

class Client {
 public:
  Client(const Port& port, const Load& load, const load::KeyText& names) : port_(port), load_(load) {
    (void)rte_eth_macaddr_get(port.id, &own_mac_);
    load::KeySequence sequence({.order = load.order, .zipf_exponent = kZipfExponent}, 0, load.keys, load.seed);
    for (auto& key : keys_) {
      (void)names.write(sequence.next(), key.data());
    }
    samples_.reserve(kSamplesMax);
  }

  int run() {
    const std::uint64_t hz = rte_get_tsc_hz();
    if (!find_server(hz)) {
      fmt::print(stderr, "frame_gets: 10.9.0.2 does not say where it is\n");
      return 1;
    }
    make_question();
    go_on_until(rte_rdtsc() + hz / 2);
    hits_ = misses_ = others_ = 0;
    loop_.forget_losses();
    samples_.clear();
    const std::uint64_t begin = rte_rdtsc();
    go_on_until(begin + load_.seconds * hz);
    const double seconds = static_cast<double>(rte_rdtsc() - begin) / static_cast<double>(hz);
    std::ranges::sort(samples_);
    fmt::print(
        "{{\"driver\":\"{}\",\"window\":{},\"keys\":{},\"order\":\"{}\",\"gets_per_s\":{:.0f},\"hit_share\":{:.6f},"
        "\"p50_us\":{:.2f},\"p99_us\":{:.2f},\"lost\":{},\"not_understood\":{}}}\n",
        port_.driver, load_.window, load_.keys, load_.order_word, static_cast<double>(hits_ + misses_) / seconds,
        static_cast<double>(hits_) / static_cast<double>(std::max<std::uint64_t>(1, hits_ + misses_)),
        percentile_us(samples_, 0.5), percentile_us(samples_, 0.99), loop_.lost(), others_);
    return hits_ > 0 ? 0 : 1;
  }

 private:
  // --- ARP (RFC 826)

  struct [[gnu::packed, gnu::aligned(2)]] ArpFrame {
    rte_ether_hdr ethernet;
    rte_arp_hdr arp;
    char padding[18];
  };

  void send_arp(std::uint16_t operation, const rte_ether_addr& to) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(port_.pool);
    if (mbuf == nullptr) {
      return;
    }
    ArpFrame frame{};
    frame.ethernet = {.dst_addr = to, .src_addr = own_mac_, .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)};
    frame.arp.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
    frame.arp.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
    frame.arp.arp_hlen = RTE_ETHER_ADDR_LEN;
    frame.arp.arp_plen = 4;
    frame.arp.arp_opcode = rte_cpu_to_be_16(operation);
    frame.arp.arp_data = {.arp_sha = own_mac_,
                          .arp_sip = rte_cpu_to_be_32(kOwnAddress),
                          .arp_tha = operation == RTE_ARP_OP_REPLY ? to : rte_ether_addr{},
                          .arp_tip = rte_cpu_to_be_32(kServerAddress)};
    std::memcpy(rte_pktmbuf_append(mbuf, sizeof frame), &frame, sizeof frame);
    if (rte_eth_tx_burst(port_.id, 0, &mbuf, 1) == 0) {
      rte_pktmbuf_free(mbuf);
    }
  }
  void take_arp(const rte_mbuf& mbuf) {
    const auto* frame = rte_pktmbuf_mtod(&mbuf, const ArpFrame*);
    if (mbuf.data_len < sizeof(rte_ether_hdr) + sizeof(rte_arp_hdr) ||
        frame->arp.arp_data.arp_sip != rte_cpu_to_be_32(kServerAddress)) {
      return;
    }
    server_mac_ = frame->arp.arp_data.arp_sha;
    knows_server_ = true;
    if (frame->arp.arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST)) {
      send_arp(RTE_ARP_OP_REPLY, server_mac_);
    }
  }
  bool find_server(std::uint64_t hz) {
    constexpr rte_ether_addr kEverybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    for (int tries = 0; tries < 50 && !knows_server_; ++tries) {
      send_arp(RTE_ARP_OP_REQUEST, kEverybody);
      for (const std::uint64_t end = rte_rdtsc() + hz / 10; rte_rdtsc() < end && !knows_server_;) {
        loop_.receive([&](const rte_mbuf& mbuf, std::uint64_t now) { return take(mbuf, now); });
      }
    }
    return knows_server_;
  }

  // --- questions

  void make_question() {
    question_ = {};
    question_.ethernet = {
        .dst_addr = server_mac_, .src_addr = own_mac_, .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)};
    question_.ip.version_ihl = RTE_IPV4_VHL_DEF;
    question_.ip.time_to_live = 64;
    question_.ip.next_proto_id = IPPROTO_UDP;
    question_.ip.src_addr = rte_cpu_to_be_32(kOwnAddress);
    question_.ip.dst_addr = rte_cpu_to_be_32(kServerAddress);
    question_.ip.total_length = rte_cpu_to_be_16(sizeof question_ - sizeof(rte_ether_hdr));
    question_.ip.hdr_checksum = rte_ipv4_cksum(&question_.ip);
    question_.udp.src_port = rte_cpu_to_be_16(40'000);
    question_.udp.dst_port = rte_cpu_to_be_16(11'211);
    question_.udp.dgram_len = rte_cpu_to_be_16(sizeof question_ - kPayloadAt + sizeof(rte_udp_hdr));
    question_.total = rte_cpu_to_be_16(1);
    std::memcpy(question_.get, "get ", sizeof question_.get);
    std::memcpy(question_.end, "\r\n", sizeof question_.end);
  }
  void go_on_until(std::uint64_t end) {
    loop_.go_on_until(
        end,
        [&](rte_mbuf& mbuf, unsigned i, std::uint64_t now) {
          const std::uint64_t number = loop_.sent() + i;
          auto* frame = rte_pktmbuf_mtod(&mbuf, Question*);
          std::memcpy(frame, &question_, sizeof question_);
          std::memcpy(frame->key, keys_[number % kRequests].data(), kKeyBytes);
          const auto id = static_cast<std::uint16_t>(number);
          frame->request_id = rte_cpu_to_be_16(id);
          asked_at_[id] = now;
          mbuf.data_len = sizeof(Question);
          mbuf.pkt_len = sizeof(Question);
        },
        [&](const rte_mbuf& mbuf, std::uint64_t now) { return take(mbuf, now); });
  }
  bool take(const rte_mbuf& mbuf, std::uint64_t now) {
    const auto* frame = rte_pktmbuf_mtod(&mbuf, const Question*);
    if (mbuf.data_len < kPayloadAt + protocol::kUdpHeaderBytes + kMiss.size() ||
        frame->ethernet.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
        frame->udp.dst_port != rte_cpu_to_be_16(40'000)) {
      if (frame->ethernet.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)) {
        take_arp(mbuf);
      } else {
        ++others_;
      }
      return false;
    }
    const bool is_hit = std::memcmp(frame->get, "VALU", sizeof frame->get) == 0;
    const bool is_miss = std::memcmp(frame->get, kMiss.data(), sizeof frame->get) == 0;
    hits_ += is_hit ? 1 : 0;
    misses_ += is_miss ? 1 : 0;
    others_ += is_hit || is_miss ? 0 : 1;
    if ((hits_ + misses_) % kSampleEach == 0 && samples_.size() < kSamplesMax) {
      samples_.push_back(now - asked_at_[rte_be_to_cpu_16(frame->request_id)]);
    }
    return true;
  }

  Port port_;
  Load load_;
  ClosedLoop loop_{port_, load_.window};
  Question question_{};
  rte_ether_addr own_mac_{};
  rte_ether_addr server_mac_{};
  bool knows_server_ = false;
  std::vector<std::array<char, kKeyBytes>> keys_ = std::vector<std::array<char, kKeyBytes>>(kRequests);
  std::vector<std::uint64_t> asked_at_ = std::vector<std::uint64_t>(1 << 16);
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::uint64_t others_ = 0;
  std::vector<std::uint64_t> samples_;
};

int usage() {
  fmt::print(stderr, "usage: frame_gets PORT CPU WINDOW KEYS uniform|zipf SECONDS SEED\n");
  return 2;
}

int run(int argc, char** argv) {
  Load load;
  std::uint32_t cpu = 0;
  if (argc != 8 || !parse_number(argv[2], cpu) || !parse_number(argv[3], load.window) ||
      !parse_number(argv[4], load.keys) || !parse_number(argv[6], load.seconds) || !parse_number(argv[7], load.seed) ||
      load.window == 0 || load.window > kDescriptors || load.keys == 0) {
    return usage();
  }
  load.order_word = argv[5];
  if (load.order_word != "uniform" && load.order_word != "zipf") {
    return usage();
  }
  load.order = load.order_word == "zipf" ? load::KeyOrder::Zipf : load::KeyOrder::Uniform;
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "frame_gets: {}\n", error.what);
    return 1;
  };
  const auto names = load::KeyText::make(kKeyBytes, load.keys);
  if (!names) {
    return complain(names.error());
  }
  const auto own = open_own_port(argv[1], cpu);
  if (!own) {
    return complain(own.error());
  }
  const Port& port = own->port;
  int status = 1;
  if (await_link(port)) {
    ::usleep(200'000);  // the other side sees it, too
    status = Client(port, load, *names).run();
  } else {
    fmt::print(stderr, "frame_gets: nobody at the other end\n");
  }
  close_port(port);
  return status;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) { return millrace::run(argc, argv); }
