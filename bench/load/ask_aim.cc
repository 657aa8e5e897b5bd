#include "bench/load/ask_aim.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <span>
#include <string>

#include "protocol/udp_join.h"

namespace millrace::load {
namespace {

using dataplane::Event;
using dataplane::EventKind;
using dataplane::TxKind;
using protocol::UdpJoin;

constexpr Duration kAskAgainAfter = milliseconds(200);
constexpr Duration kPollWait = milliseconds(20);
constexpr Duration kEndsWithin = seconds(1);
constexpr std::size_t kAnswerBytesMax = 4096;
constexpr std::uint16_t kRequestId = 1;
/// Request 1, datagram 0 of 1. Constant, so it may be lent for ever.
constexpr std::string_view kQuestion{"\0\1\0\0\0\1\0\0stats aim\r\n", 19};

class AimQuestion {
 public:
  AimQuestion(dataplane::Transport& transport, Clock& clock) : transport_(transport), clock_(clock) {
    join_.begin(kRequestId);
  }

  std::optional<std::string> ask(const dataplane::Endpoint& server, Duration patience) {
    if (transport_.connect(server, conn_) != Status::Ok) {
      return std::nullopt;
    }
    const Instant begin = clock_.now();
    std::optional<Instant> asked;
    for (Instant now = begin; !answer_ && !is_gone_ && now - begin <= patience; now = clock_.now()) {
      if (is_open_ && !is_lent_ && (!asked || now - *asked >= kAskAgainAfter)) {
        const dataplane::Slice slice{kQuestion.data(), kQuestion.size()};
        submit(now, {.kind = TxKind::Send, .conn = conn_, .slices = {&slice, 1}});
        is_lent_ = true;
        asked = now;
      }
      poll(now);
    }
    if (!is_gone_) {
      const Instant end = clock_.now();
      submit(end, {.kind = TxKind::Abort, .conn = conn_});
      while (!is_gone_ && clock_.now() - end <= kEndsWithin) {
        poll(clock_.now());
      }
    }
    return answer_;
  }

 private:
  void submit(Instant now, const dataplane::TxOp& op) { transport_.submit(now, {&op, 1}); }

  void poll(Instant now) {
    const std::size_t count = transport_.poll(now, events_, kPollWait);
    for (const Event& event : std::span(events_).first(count)) {
      if (event.conn != conn_) {
        continue;
      }
      is_open_ |= event.kind == EventKind::Opened;
      is_gone_ |= event.kind == EventKind::Closed;
      is_lent_ = is_lent_ && event.kind != EventKind::Released;
      if (event.kind == EventKind::Bytes && !answer_ &&
          join_.take(std::as_bytes(std::span(event.bytes))) == UdpJoin::Taken::Complete) {
        const auto response = join_.response();
        answer_.emplace(reinterpret_cast<const char*>(response.data()), response.size());
      }
    }
  }

  dataplane::Transport& transport_;
  Clock& clock_;
  UdpJoin join_{kAnswerBytesMax};
  std::array<Event, 16> events_{};
  ConnId conn_{};
  bool is_open_ = false;
  bool is_lent_ = false;
  bool is_gone_ = false;
  std::optional<std::string> answer_;
};

}  // namespace

Result<AimMap> ask_aim_map(dataplane::Transport& transport, Clock& clock, const dataplane::Endpoint& server,
                           Duration patience) {
  const auto answer = AimQuestion(transport, clock).ask(server, patience);
  if (!answer) {
    return fail(fmt::format(
        "--aim: {} did not answer `stats aim` over UDP: is it a server with -U, and may we have answers that "
        "are longer than the question (its --udp-allow)?",
        server.text()));
  }
  return read_aim_map(*answer);
}

}  // namespace millrace::load
