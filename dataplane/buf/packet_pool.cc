#include "dataplane/buf/packet_pool.h"

#include <algorithm>

namespace millrace::buf {

PacketPool::PacketPool(const PacketPoolOptions& options)
    : options_(options),
      memory_(std::size_t{options.buffers} * (options.headroom_bytes + options.buffer_bytes)),
      pieces_(std::size_t{options.buffers} + options.external_max),
      free_buffers_(options.buffers),
      released_(options.external_max),
      attached_free_(options.external_max) {
  const std::size_t stride = options.headroom_bytes + options.buffer_bytes;
  for (std::size_t i = pieces_.size(); i-- > 0;) {
    Piece& piece = pieces_[i];
    piece.is_attached = i >= options.buffers;
    Piece*& list = piece.is_attached ? free_attached_ : free_;
    piece.data = piece.is_attached ? nullptr : memory_.data() + i * stride;
    piece.next = list;
    list = &piece;
  }
}

std::size_t PacketPool::alloc(std::span<Packet> out) noexcept {
  const std::size_t count = std::min(out.size(), free_buffers_);
  for (std::size_t i = 0; i < count; ++i) {
    MR_DCHECK(out[i].is_empty());
    Piece* piece = free_;
    free_ = piece->next;
    piece->next = nullptr;
    out[i] = Packet(*this, piece, {piece->data + options_.headroom_bytes, std::size_t{0}}, options_.headroom_bytes,
                    options_.buffer_bytes);
  }
  free_buffers_ -= count;
  return count;
}

Status PacketPool::attach(Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept {
  MR_ASSERT(packet.owner() == this && !bytes.empty());
  if (attached_free_ == 0) {
    return Status::Exhausted;
  }
  --attached_free_;
  Piece* piece = free_attached_;
  free_attached_ = piece->next;
  piece->next = nullptr;
  piece->data = const_cast<std::byte*>(bytes.data());  // read only: for_each_segment() shows it const
  piece->size = static_cast<std::uint32_t>(bytes.size());
  piece->token = token;
  Piece* last = static_cast<Piece*>(packet.origin());
  while (last->next != nullptr) {
    last = last->next;
  }
  last->next = piece;
  packet.grow_rest(piece->size);
  return Status::Ok;
}

std::size_t PacketPool::take_released(std::span<std::uint64_t> tokens) noexcept {
  const std::size_t count = std::min(tokens.size(), released_count_);
  released_count_ -= count;
  std::copy_n(released_.begin() + static_cast<std::ptrdiff_t>(released_count_), count, tokens.begin());
  attached_free_ += count;
  return count;
}

void PacketPool::release(std::span<void* const> origins) noexcept {
  for (void* origin : origins) {
    for (Piece* piece = static_cast<Piece*>(origin); piece != nullptr;) {
      Piece* following = piece->next;
      Piece*& list = piece->is_attached ? free_attached_ : free_;
      if (piece->is_attached) {
        released_[released_count_++] = piece->token;
      } else {
        ++free_buffers_;
      }
      piece->next = list;
      list = piece;
      piece = following;
    }
  }
}

SegmentView PacketPool::next_segment(void* origin) const noexcept {
  const Piece* piece = static_cast<const Piece*>(origin)->next;
  return piece == nullptr ? SegmentView{}
                          : SegmentView{.data = piece->data, .size = piece->size, .origin = const_cast<Piece*>(piece)};
}

}  // namespace millrace::buf
