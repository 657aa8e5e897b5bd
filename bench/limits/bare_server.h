// io_uring and nothing else: answers every line with the same value, without a Transport, buffers of its own or any
// care for peers that misbehave. The kernel's share of a server's work, and so the most that any server on this
// machine, kernel and socket interface could reach.
//
// Thread: one, which constructs and runs it. Ownership: owns its ring, buffers and accepted sockets; borrows the
// listener. Multishot accept, multishot receive into a ring of provided buffers, one send at a time a connection from
// one constant text, everything submitted with the call that waits.
#pragma once

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

class BareServer {
 public:
  /// `replies` is `reply_bytes` long replies, one after the other.
  BareServer(int listener, std::string replies, std::uint32_t reply_bytes)
      : listener_(listener),
        peers_(kDescriptorsMax),
        replies_(std::move(replies)),
        reply_bytes_(reply_bytes),
        replies_per_send_max_(static_cast<std::uint32_t>(replies_.size() / reply_bytes)) {}

  /// Serves until `stop`. Returns 0 or an errno: this kernel lacks something.
  int run(const std::atomic<bool>& stop) {
    io_uring_params params{};
    params.flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = 8192;
    if (const int error = io_uring_queue_init_params(2048, &ring_, &params); error < 0) {
      return -error;
    }
    if (const int error = lend_buffers(); error != 0) {
      return error;
    }
    arm_accept();
    while (!stop) {
      __kernel_timespec limit{.tv_sec = 0, .tv_nsec = 50'000'000};
      io_uring_cqe* first = nullptr;
      io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
      take_in();
    }
    io_uring_queue_exit(&ring_);
    return 0;
  }

 private:
  static constexpr std::uint32_t kBuffers = 1024;  // a power of two
  static constexpr std::uint32_t kBufferBytes = 8192;
  static constexpr int kDescriptorsMax = 65536;

  enum class Op : std::uint8_t {
    Accept,
    Receive,
    Send
  };

  struct Peer {
    std::uint32_t owed = 0;
    std::uint32_t sending_bytes = 0;
  };

  int lend_buffers() {
    memory_.resize(std::size_t{kBuffers} * kBufferBytes);
    entries_.resize((sizeof(io_uring_buf) * kBuffers + 4095) / 4096 + 1);
    auto address = reinterpret_cast<std::uintptr_t>(entries_.data());
    address = (address + 4095) & ~std::uintptr_t{4095};
    buffers_ = reinterpret_cast<io_uring_buf_ring*>(address);
    io_uring_buf_reg registration{};
    registration.ring_addr = address;
    registration.ring_entries = kBuffers;
    if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error < 0) {
      return -error;
    }
    io_uring_buf_ring_init(buffers_);
    for (std::uint32_t i = 0; i < kBuffers; ++i) {
      give_back(i);
    }
    return 0;
  }

  void give_back(std::uint32_t buffer) {
    io_uring_buf_ring_add(buffers_, memory_.data() + std::size_t{buffer} * kBufferBytes, kBufferBytes,
                          static_cast<std::uint16_t>(buffer), io_uring_buf_ring_mask(kBuffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  io_uring_sqe* entry() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  /// After the entry was prepared, which clears it.
  static void mark(io_uring_sqe* sqe, Op op, int fd) {
    io_uring_sqe_set_data64(sqe, (std::uint64_t{static_cast<std::uint8_t>(op)} << 32) | static_cast<std::uint32_t>(fd));
  }

  void arm_accept() {
    io_uring_sqe* sqe = entry();
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, 0);
    mark(sqe, Op::Accept, listener_);
  }

  void arm_receive(int fd) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    mark(sqe, Op::Receive, fd);
  }

  void send(int fd) {
    Peer& peer = peers_[static_cast<std::size_t>(fd)];
    const std::uint32_t count = std::min(peer.owed, replies_per_send_max_);
    if (count == 0 || peer.sending_bytes != 0) {
      return;
    }
    peer.owed -= count;
    peer.sending_bytes = count * reply_bytes_;
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, fd, replies_.data(), peer.sending_bytes, MSG_NOSIGNAL | MSG_WAITALL);
    mark(sqe, Op::Send, fd);
  }

  void take_in() {
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      take(*cqe);
      ++count;
    }
    io_uring_cq_advance(&ring_, count);
  }

  void take(const io_uring_cqe& cqe) {
    const auto op = static_cast<Op>(cqe.user_data >> 32);
    const auto fd = static_cast<int>(cqe.user_data & 0xffff'ffff);
    switch (op) {
      case Op::Accept:
        if (cqe.res >= 0 && cqe.res < kDescriptorsMax) {
          peers_[static_cast<std::size_t>(cqe.res)] = {};
          arm_receive(cqe.res);
        }
        return;
      case Op::Receive:
        if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
          const std::uint32_t buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
          if (cqe.res > 0) {
            const std::string_view bytes{memory_.data() + std::size_t{buffer} * kBufferBytes,
                                         static_cast<std::size_t>(cqe.res)};
            peers_[static_cast<std::size_t>(fd)].owed += static_cast<std::uint32_t>(std::ranges::count(bytes, '\n'));
          }
          give_back(buffer);
        }
        if (cqe.res == 0 || (cqe.res < 0 && cqe.res != -ENOBUFS)) {
          close(fd);
          return;
        }
        if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
          arm_receive(fd);
        }
        send(fd);
        return;
      case Op::Send:
        peers_[static_cast<std::size_t>(fd)].sending_bytes = 0;
        if (cqe.res > 0) {
          send(fd);
        }
        return;
    }
  }

  int listener_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  struct Page {
    char bytes[4096];
  };
  std::vector<Page> entries_;
  std::vector<char> memory_;
  std::vector<Peer> peers_;  ///< by descriptor
  std::string replies_;
  std::uint32_t reply_bytes_;
  std::uint32_t replies_per_send_max_;
};

}  // namespace millrace
