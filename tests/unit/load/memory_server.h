// A Transport whose other end is a small cache server in memory, for tests of the generator. Single-threaded.
// It splits its replies at random places, reads a Send's slices only when it releases them (one poll late), so that a
// buffer reused while lent shows, and misbehaves in one chosen way.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "bench/load/prng.h"
#include "dataplane/api/transport.h"

namespace millrace::load {

enum class Fault : std::uint8_t {
  None,
  Refuse,     ///< every connection
  NeverOpen,  ///< connections stay half-way
  Close,      ///< instead of the reply
  HalfClose,  ///< says that it is finished, instead of the reply
  Reset,
  Silence,
  Trickle,      ///< a value that never ends, a byte at a time
  Garbage,      ///< a line that is no reply
  EndlessLine,  ///< bytes without a line end
  Unasked,      ///< a second END
  WrongKind,    ///< STORED to a get, END to a set
  ErrorReply,   ///< SERVER_ERROR
  WrongKey,
  WrongFlags,
  WrongSize,
  WrongByte,
  NoLineEnd,  ///< a value that is not followed by \r\n
};

class MemoryServer final : public dataplane::Transport {
 public:
  /// The fault shows in the reply to request `at` (from 0) of the whole server, and in all later ones.
  explicit MemoryServer(std::uint64_t seed, Fault fault = Fault::None, std::uint64_t at = 0)
      : prng_(seed), fault_(fault), fault_at_(at) {}

  struct Item {
    std::string flags;
    std::string ttl;
    std::string value;
    std::uint64_t unique = 0;
  };
  std::map<std::string, Item, std::less<>> items;
  std::vector<std::string> log;  ///< `get key`, `set key` and so on, in the order of arrival
  std::uint64_t uniques = 0;     ///< given out; whoever adds to it meddles
  std::uint64_t requests = 0;
  std::uint32_t requests_in_one_send_max = 0;

  std::size_t poll(Instant, std::span<dataplane::Event> out, Duration wait) noexcept override {
    lent_out_.clear();
    std::size_t count = 0;
    for (Peer& peer : peers_) {
      count = poll_one(peer, out, count);
    }
    if (count == 0 && wait.ns > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return count;
  }

  void submit(Instant, std::span<const dataplane::TxOp> ops) noexcept override {
    for (const dataplane::TxOp& op : ops) {
      Peer& peer = peers_.at(op.conn.slot);
      if (op.kind == dataplane::TxKind::Send) {
        MR_ASSERT(peer.lent.empty());  // one Send at a time
        MR_ASSERT(!peer.is_gone);
        peer.lent.assign(op.slices.begin(), op.slices.end());
        peer.token = op.token;
      } else {
        MR_ASSERT(op.kind == dataplane::TxKind::Abort || op.kind == dataplane::TxKind::Close);
        peer.is_closed_by_client = true;
      }
    }
  }

  Status connect(const dataplane::Endpoint&, ConnId& conn) noexcept override {
    conn = {.slot = static_cast<std::uint32_t>(peers_.size()), .generation = 7};
    peers_.emplace_back();
    peers_.back().id = conn;
    return Status::Ok;
  }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override { return {}; }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId) const override { return {}; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return {}; }

  [[nodiscard]] bool all_gone() const {
    for (const Peer& peer : peers_) {
      if (!peer.is_gone) {
        return false;
      }
    }
    return true;
  }

 private:
  struct NoWaker final : dataplane::Waker {
    void wake() noexcept override {}
  };
  enum class Ending : std::uint8_t {
    None,
    Close,
    HalfClose,
    Reset
  };
  struct Peer {
    ConnId id{};
    bool is_open = false;
    bool is_gone = false;
    bool is_closed_by_client = false;
    Ending ending = Ending::None;
    std::vector<dataplane::Slice> lent;
    std::uint64_t token = 0;
    std::string in;
    std::string out;
  };

  std::size_t poll_one(Peer& peer, std::span<dataplane::Event> out, std::size_t count) {
    using dataplane::CloseReason;
    using dataplane::EventKind;
    if (peer.is_gone || count + 4 > out.size()) {
      return count;
    }
    if (!peer.is_open && !peer.is_closed_by_client) {
      if (fault_ == Fault::Refuse) {
        peer.is_gone = true;
        out[count++] = {.kind = EventKind::Closed, .reason = CloseReason::ConnectFailed, .conn = peer.id};
      } else if (fault_ != Fault::NeverOpen) {
        peer.is_open = true;
        out[count++] = {.kind = EventKind::Opened, .conn = peer.id};
      }
      return count;
    }
    if (!peer.lent.empty()) {
      for (const dataplane::Slice& slice : peer.lent) {
        peer.in.append(slice.data, slice.size);
      }
      peer.lent.clear();
      out[count++] = {.kind = EventKind::Released, .conn = peer.id, .token = peer.token};
      serve(peer);
    }
    if (peer.is_closed_by_client) {
      peer.is_gone = true;
      out[count++] = {.kind = EventKind::Closed, .reason = CloseReason::Requested, .conn = peer.id};
      return count;
    }
    if (!peer.out.empty()) {
      const auto cut =
          static_cast<std::size_t>(prng_.below(4) == 0 ? peer.out.size() : 1 + prng_.below(peer.out.size()));
      lent_out_.push_back(peer.out.substr(0, cut));
      peer.out.erase(0, cut);
      out[count++] = {.kind = EventKind::Bytes, .conn = peer.id, .bytes = lent_out_.back()};
    } else if (peer.ending == Ending::HalfClose) {
      peer.ending = Ending::None;
      out[count++] = {.kind = EventKind::PeerFinished, .conn = peer.id};
    } else if (peer.ending != Ending::None) {
      peer.is_gone = true;
      out[count++] = {.kind = EventKind::Closed,
                      .reason = peer.ending == Ending::Reset ? CloseReason::Reset : CloseReason::PeerClosed,
                      .conn = peer.id};
    }
    return count;
  }

  void serve(Peer& peer) {
    std::uint32_t in_this_send = 0;
    while (peer.ending == Ending::None) {
      const std::size_t end = peer.in.find("\r\n");
      if (end == std::string::npos) {
        break;
      }
      const auto words = split(std::string_view(peer.in).substr(0, end));
      std::size_t used = end + 2;
      if (is_store(words.at(0))) {
        const auto bytes = static_cast<std::size_t>(std::stoul(std::string(words.at(4))));
        if (peer.in.size() < used + bytes + 2) {
          break;
        }
        MR_ASSERT(peer.in.compare(used + bytes, 2, "\r\n") == 0);
        ++in_this_send;
        store(peer, words, std::string_view(peer.in).substr(used, bytes));
        used += bytes + 2;
      } else {
        ++in_this_send;
        if (words[0] == "get" || words[0] == "gets") {
          get(peer, words);
        } else {
          change(peer, words);
        }
      }
      peer.in.erase(0, used);
    }
    requests_in_one_send_max = std::max(requests_in_one_send_max, in_this_send);
  }

  static std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> words;
    while (!line.empty()) {
      const std::size_t end = std::min(line.find(' '), line.size());
      words.push_back(line.substr(0, end));
      line.remove_prefix(std::min(end + 1, line.size()));
    }
    return words;
  }

  static bool is_store(std::string_view verb) {
    return verb == "set" || verb == "add" || verb == "append" || verb == "cas";
  }

  void store(Peer& peer, const std::vector<std::string_view>& words, std::string_view value) {
    log.push_back(std::string(words[0]) + " " + std::string(words[1]));
    const Fault fault = fault_now();
    if (misbehaves(peer, fault)) {
      return;
    }
    const std::string_view refusal = refusal_of(words);
    if (refusal.empty()) {
      Item& item = items[std::string(words[1])];
      if (words[0] == "append") {
        item.value += value;
      } else {
        item = {.flags = std::string(words[2]), .ttl = std::string(words[3]), .value = std::string(value)};
      }
      item.unique = ++uniques;
    }
    peer.out += fault == Fault::WrongKind ? "END\r\n" : refusal.empty() ? "STORED\r\n" : refusal;
  }

  /// Empty: it is stored.
  [[nodiscard]] std::string_view refusal_of(const std::vector<std::string_view>& words) const {
    const auto found = items.find(words[1]);
    const bool is_there = found != items.end();
    if (words[0] == "cas") {
      return !is_there ? "NOT_FOUND\r\n" : std::to_string(found->second.unique) != words.at(5) ? "EXISTS\r\n" : "";
    }
    const bool is_refused = (words[0] == "add" && is_there) || (words[0] == "append" && !is_there);
    return is_refused ? "NOT_STORED\r\n" : "";
  }

  /// delete, touch, incr
  void change(Peer& peer, const std::vector<std::string_view>& words) {
    log.push_back(std::string(words[0]) + " " + std::string(words[1]));
    const Fault fault = fault_now();
    if (misbehaves(peer, fault)) {
      return;
    }
    const auto found = items.find(words[1]);
    if (found == items.end()) {
      peer.out += "NOT_FOUND\r\n";
    } else if (words[0] == "delete") {
      items.erase(found);
      peer.out += "DELETED\r\n";
    } else if (words[0] == "touch") {
      found->second.ttl = words.at(2);
      peer.out += "TOUCHED\r\n";
    } else {
      MR_ASSERT(words[0] == "incr");
      found->second.value = std::to_string(std::stoull(found->second.value) + std::stoull(std::string(words.at(2))));
      peer.out += found->second.value + "\r\n";
    }
  }

  void get(Peer& peer, const std::vector<std::string_view>& words) {
    const Fault fault = fault_now();
    if (misbehaves(peer, fault)) {
      return;
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
      log.push_back(std::string(words[0]) + " " + std::string(words[i]));
      const auto found = items.find(words[i]);
      if (found == items.end()) {
        continue;
      }
      std::string key(words[i]);
      Item item = found->second;
      if (fault == Fault::WrongKey) {
        key.back() = key.back() == '0' ? '1' : '0';
      } else if (fault == Fault::WrongFlags) {
        item.flags += '1';
      } else if (fault == Fault::WrongSize) {
        item.value += 'x';
      } else if (fault == Fault::WrongByte) {
        item.value[prng_.below(item.value.size())] ^= 1;
      }
      peer.out += "VALUE " + key + " " + item.flags + " " + std::to_string(item.value.size());
      peer.out += (words[0] == "gets" ? " " + std::to_string(item.unique) : "") + "\r\n";
      peer.out += item.value + (fault == Fault::NoLineEnd ? "xx" : "\r\n");
    }
    peer.out += fault == Fault::WrongKind ? "STORED\r\n" : "END\r\n";
    peer.out += fault == Fault::Unasked ? "END\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\n" : "";
  }

  Fault fault_now() { return requests++ >= fault_at_ ? fault_ : Fault::None; }

  /// Faults that take the place of the whole reply.
  bool misbehaves(Peer& peer, Fault fault) {
    switch (fault) {
      case Fault::Close:
        peer.ending = Ending::Close;
        return true;
      case Fault::HalfClose:
        peer.ending = Ending::HalfClose;
        return true;
      case Fault::Reset:
        peer.ending = Ending::Reset;
        return true;
      case Fault::Silence:
        return true;
      case Fault::Trickle:
        peer.out += "VALUE key:0 0 1000000000\r\n" + std::string(1'000'000, 'v');
        return true;
      case Fault::Garbage:
        peer.out += "VALUABLE \x01 \xff\r\n";
        return true;
      case Fault::EndlessLine:
        peer.out.append(100'000, 'e');
        return true;
      case Fault::ErrorReply:
        peer.out += "SERVER_ERROR out of memory storing object\r\n";
        return true;
      default:
        return false;
    }
  }

  Prng prng_;
  Fault fault_;
  std::uint64_t fault_at_;
  std::deque<Peer> peers_;
  std::deque<std::string> lent_out_;
  dataplane::TransportCounters counters_;
  NoWaker waker_;
};

}  // namespace millrace::load
