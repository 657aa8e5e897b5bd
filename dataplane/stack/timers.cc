// What happens without a frame: announcing ourselves, asking neighbours, giving up fragments, taking back what was
// lent.
#include "dataplane/ip/arp_input.h"
#include "dataplane/stack/host_stack.h"

namespace millrace::stack {
namespace {

constexpr std::uint32_t kAnnouncements = 2;         // RFC 5227 1.1: ANNOUNCE_NUM
constexpr Duration kAnnounceInterval = seconds(2);  // ANNOUNCE_INTERVAL

}  // namespace

void HostStack::run_timers(Instant now) noexcept {
  const port::LinkState link = port_.link();
  if (link == port::LinkState::Up && link_ != link && options_.core == 0) {
    announcements_left_ = kAnnouncements;  // at the start, and after every time the cable was elsewhere
    announce_at_ = now;
  }
  link_ = link;
  if (announcements_left_ > 0 && now >= announce_at_) {
    announce(now);
  }
  ask_neighbors(now);
  reassembler_.expire(now, counters_.drops);
}

void HostStack::tell_news(const std::optional<ip::Heard>& heard) noexcept {
  if (heard && options_.news != nullptr) {
    options_.news->tell(options_.core, {.neighbor = heard->kind, .about = heard->from, .mac = heard->mac});
  }
}

void HostStack::take_news(Instant now) noexcept {
  while (const auto item = options_.news->take(options_.core, news_seen_, news_cursor_)) {
    ++counters_.news_taken;
    if (item->kind == LinkNews::Kind::PathMtu) {
      (void)path_mtu_.learn(now, item->about, item->mtu);
    } else {
      (void)neighbors_.hear(now, {.kind = item->neighbor, .from = item->about, .mac = item->mac});
    }
  }
}

void HostStack::announce(Instant now) noexcept {
  --announcements_left_;
  announce_at_ = now + kAnnounceInterval;
  for (const ip::HostAddress& own : host_.all()) {
    ++counters_.announcements_sent;
    if (own.address.is_v4()) {
      send_arp(now, ip::make_arp_request(host_, own.address, own.address), wire::kBroadcastMac);
    } else {
      send_neighbor(now, ip::make_neighbor_announcement(host_, own.address));
    }
  }
}

void HostStack::ask_neighbors(Instant now) noexcept {
  ip::Solicitation wanted;
  while (neighbors_.next_due(now, wanted)) {
    const auto source = host_.source_for(wanted.target);
    if (!source) {
      continue;
    }
    ++counters_.neighbors_asked;
    if (wanted.target.is_v4()) {
      send_arp(now, ip::make_arp_request(host_, *source, wanted.target),
               wanted.asks_everybody ? wire::kBroadcastMac : wanted.to);
    } else {
      send_neighbor(now, ip::make_neighbor_solicitation(host_, *source, wanted));
    }
  }
  buf::Packet packet;
  wire::MacAddress mac;
  while (neighbors_.take_ready(packet, mac)) {
    transmit_frame(now, packet, mac, packet.tx.is_ipv6 ? wire::kEtherTypeIpv6 : wire::kEtherTypeIpv4);
  }
  for (std::uint64_t left = neighbors_.take_unreachable(); left > 0; --left) {
    counters_.drops.count(wire::Drop::NeighborUnreachable);
  }
}

void HostStack::collect_released() noexcept {
  std::array<std::uint64_t, 64> slots;
  for (std::size_t count = slots.size(); count == slots.size();) {
    count = port_.take_released(slots);
    for (std::size_t i = 0; i < count; ++i) {
      lent_.remove_piece(static_cast<std::uint32_t>(slots[i]));
    }
  }
}

}  // namespace millrace::stack
