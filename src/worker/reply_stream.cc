#include "worker/reply_stream.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "worker/copy_bytes.h"

namespace millrace::worker {
namespace {

constexpr std::uint32_t kNodesPerBlock = 512;

}  // namespace

// --- ReplyMemory

ReplyMemory::~ReplyMemory() {
  if (shared_ != nullptr) {
    buffers_.drop_reference(shared_);
  }
}

ReplyNode* ReplyMemory::take_node(NodeKind kind) noexcept {
  if (MR_UNLIKELY(free_nodes_ == nullptr)) {
    node_blocks_.push_back(std::make_unique<ReplyNode[]>(kNodesPerBlock));
    for (std::uint32_t i = 0; i < kNodesPerBlock; ++i) {
      ReplyNode& node = node_blocks_.back()[i];
      node.next = free_nodes_;
      free_nodes_ = &node;
    }
  }
  ReplyNode* node = free_nodes_;
  free_nodes_ = node->next;
  node->next = nullptr;
  node->connection = nullptr;
  node->kind = kind;
  node->cursor = {};
  ++nodes_in_use_;
  return node;
}

void ReplyMemory::free_node(ReplyNode* node) noexcept {
  MR_DCHECK(nodes_in_use_ > 0);
  node->next = free_nodes_;
  free_nodes_ = node;
  --nodes_in_use_;
}

TxBuffer* ReplyMemory::shared(std::uint32_t bytes) noexcept {
  MR_DCHECK(bytes <= kTxBufferBytes);
  if (shared_ != nullptr && shared_->references == 1) {
    shared_->used = 0;  // nobody's bytes are in it any more
  }
  if (shared_ == nullptr || shared_->room() < bytes) {
    if (shared_ != nullptr) {
      buffers_.drop_reference(shared_);
    }
    shared_ = buffers_.take();
  }
  return shared_;
}

std::uint64_t ReplyMemory::buffers_in_use() const noexcept {
  const bool is_shared_idle = shared_ != nullptr && shared_->references == 1;
  return buffers_.in_use() - (is_shared_idle ? 1 : 0);
}

// --- ReplyStream: writing

TxBuffer* ReplyStream::buffer_with_room(ReplyMemory& memory, std::uint32_t bytes) noexcept {
  if (sends_in_flight_ == 0) {
    return memory.shared(bytes);
  }
  if (own_ == nullptr || own_->room() < bytes) {
    drop_own_buffer(memory);
    own_ = memory.buffers().take();
  }
  return own_;
}

char* ReplyStream::room(ReplyMemory& memory, std::uint32_t bytes) noexcept {
  writing_ = buffer_with_room(memory, bytes);
  return writing_->bytes + writing_->used;
}

void ReplyStream::commit(ReplyMemory& memory, std::uint32_t bytes) noexcept {
  MR_DCHECK(writing_ != nullptr && bytes <= writing_->room());
  if (bytes == 0) {
    return;
  }
  const bool extends_tail =
      tail_ != nullptr && tail_->kind == NodeKind::Bytes && tail_->buffer == writing_ && tail_->end == writing_->used;
  if (!extends_tail) {
    ReplyNode* node = memory.take_node(NodeKind::Bytes);
    node->buffer = writing_;
    node->begin = writing_->used;
    node->end = writing_->used;
    TxBufferPool::add_reference(writing_);
    link_after(tail_, node);
  }
  tail_->end += bytes;
  writing_->used += bytes;
  unsent_bytes_ += bytes;
}

void ReplyStream::append(ReplyMemory& memory, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto part = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), kTxBufferBytes / 2));
    std::memcpy(room(memory, part), bytes.data(), part);
    commit(memory, part);
    bytes.remove_prefix(part);
  }
}

void ReplyStream::append_loan(ReplyMemory& memory, const Loan& loan) noexcept {
  ReplyNode* node = memory.take_node(NodeKind::Lent);
  node->loan = loan;
  link_after(tail_, node);
  ++lent_count_;
}

ReplyNode* ReplyStream::make_hole(ReplyMemory& memory, Connection* owner, bool is_silent) noexcept {
  ReplyNode* node = memory.take_node(NodeKind::Hole);
  node->connection = owner;
  node->is_silent = is_silent;
  return node;
}

void ReplyStream::link_hole(ReplyNode* hole) noexcept {
  link_after(tail_, hole);
  ++holes_;
}

void ReplyStream::fill_hole(ReplyMemory& memory, ReplyNode* hole, std::string_view bytes, const Loan* loan,
                            bool ends_line) noexcept {
  MR_ASSERT(hole->kind == NodeKind::Hole && holes_ > 0);
  --holes_;
  hole->connection = nullptr;
  const auto size = hole->is_silent ? 0 : static_cast<std::uint32_t>(bytes.size());
  TxBuffer* buffer = buffer_with_room(memory, size + 2);
  copy_bytes(buffer->bytes + buffer->used, bytes.substr(0, size));
  hole->kind = NodeKind::Bytes;
  hole->buffer = buffer;
  hole->begin = buffer->used;
  hole->end = buffer->used + size;
  buffer->used += size;
  unsent_bytes_ += size;
  TxBufferPool::add_reference(buffer);
  if (loan == nullptr) {
    return;
  }
  ReplyNode* value = memory.take_node(NodeKind::Lent);
  value->loan = *loan;
  link_after(hole, value);
  ++lent_count_;
  if (!ends_line) {
    return;
  }
  ReplyNode* crlf = memory.take_node(NodeKind::Bytes);
  std::memcpy(buffer->bytes + buffer->used, "\r\n", 2);
  crlf->buffer = buffer;
  crlf->begin = buffer->used;
  crlf->end = buffer->used + 2;
  buffer->used += 2;
  unsent_bytes_ += 2;
  TxBufferPool::add_reference(buffer);
  link_after(value, crlf);
}

// --- ReplyStream: sending

bool ReplyStream::gather(ReplyMemory& memory, const LoanReader& reader, GatheredSend& out) noexcept {
  out.slice_count = 0;
  out.bytes = 0;
  if (sends_in_flight_ == kSendsInFlightMax) {
    return false;
  }
  Flight flight;
  ReplyNode** flight_end = &flight.nodes;
  const auto take_head = [&] {
    *flight_end = pop_head();
    flight_end = &(*flight_end)->next;
  };
  bool has_loan = false;
  while (head_ != nullptr && head_->kind != NodeKind::Hole && out.slice_count < kSlicesPerSendMax) {
    if (head_->kind == NodeKind::Bytes) {
      const char* data = head_->buffer->bytes + head_->begin;
      const std::uint32_t size = head_->end - head_->begin;
      dataplane::Slice* last = out.slice_count > 0 ? &out.slices[out.slice_count - 1] : nullptr;
      if (last != nullptr && last->data + last->size == data) {
        last->size += size;
      } else if (size > 0) {
        out.slices[out.slice_count++] = {data, size};
      }
      out.bytes += size;
      flight.bytes += size;
      take_head();
      continue;
    }
    has_loan = true;
    const Loan& loan = head_->loan;
    while (head_->cursor.at < loan.value_bytes && out.slice_count < kSlicesPerSendMax) {
      const std::span<const char> part = reader.lent_next(loan, head_->cursor);
      MR_ASSERT(!part.empty());
      const auto size = static_cast<std::uint32_t>(part.size());
      out.slices[out.slice_count++] = {part.data(), size};
      out.bytes += size;
    }
    if (head_->cursor.at < loan.value_bytes) {
      break;
    }
    take_head();
  }
  *flight_end = nullptr;
  if (out.bytes == 0) {
    // Only empty answers: nothing to send, and nothing keeps their nodes.
    unsent_bytes_ -= flight.bytes;
    while (flight.nodes != nullptr) {
      ReplyNode* next = flight.nodes->next;
      memory.buffers().drop_reference(flight.nodes->buffer);
      memory.free_node(flight.nodes);
      --node_count_;
      flight.nodes = next;
    }
    return false;
  }
  if (!has_loan && out.slice_count > kSlicesBeforeCopy && out.bytes <= kTxBufferBytes / 2) {
    copy_together(memory, flight, out);
  }
  flights_[(first_flight_ + sends_in_flight_) % kSendsInFlightMax] = flight;
  ++sends_in_flight_;
  return true;
}

// Many small pieces, as when every other reply came from a neighbour: one slice is cheaper for the kernel.
void ReplyStream::copy_together(ReplyMemory& memory, Flight& flight, GatheredSend& out) noexcept {
  TxBuffer* buffer = buffer_with_room(memory, out.bytes);
  const std::uint32_t begin = buffer->used;
  for (std::uint32_t i = 0; i < out.slice_count; ++i) {
    std::memcpy(buffer->bytes + buffer->used, out.slices[i].data, out.slices[i].size);
    buffer->used += out.slices[i].size;
  }
  ReplyNode* node = memory.take_node(NodeKind::Bytes);
  node->buffer = buffer;
  node->begin = begin;
  node->end = buffer->used;
  TxBufferPool::add_reference(buffer);
  ++node_count_;
  while (flight.nodes != nullptr) {
    ReplyNode* next = flight.nodes->next;
    memory.buffers().drop_reference(flight.nodes->buffer);
    memory.free_node(flight.nodes);
    --node_count_;
    flight.nodes = next;
  }
  flight.nodes = node;
  out.slices[0] = {buffer->bytes + begin, out.bytes};
  out.slice_count = 1;
}

void ReplyStream::on_released(ReplyMemory& memory, LoanReader& reader) noexcept {
  MR_ASSERT(sends_in_flight_ > 0);
  Flight& flight = flights_[first_flight_];
  free_chain(memory, reader, flight.nodes);
  unsent_bytes_ -= flight.bytes;
  flight = {};
  first_flight_ = (first_flight_ + 1) % kSendsInFlightMax;
  --sends_in_flight_;
  if (sends_in_flight_ == 0 && head_ == nullptr) {
    drop_own_buffer(memory);
  }
}

std::uint64_t ReplyStream::whole_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const ReplyNode* node = head_; node != nullptr; node = node->next) {
    bytes += node->kind == NodeKind::Bytes  ? node->end - node->begin
             : node->kind == NodeKind::Lent ? node->loan.value_bytes
                                            : 0;
  }
  return bytes;
}

void ReplyStream::drop(ReplyMemory& memory, LoanReader& reader) noexcept {
  MR_ASSERT(sends_in_flight_ == 0);
  while (head_ != nullptr) {
    ReplyNode* node = pop_head();
    node->next = nullptr;
    if (node->kind == NodeKind::Hole) {
      node->connection = nullptr;
      --node_count_;
    } else {
      free_chain(memory, reader, node);
    }
  }
  drop_own_buffer(memory);
  unsent_bytes_ = 0;
  holes_ = 0;
  MR_ASSERT(node_count_ == 0 && lent_count_ == 0);
}

// --- lists

void ReplyStream::link_after(ReplyNode* where, ReplyNode* node) noexcept {
  if (where == nullptr) {
    node->next = head_;
    head_ = node;
  } else {
    node->next = where->next;
    where->next = node;
  }
  if (where == tail_) {
    tail_ = node;
  }
  ++node_count_;
}

ReplyNode* ReplyStream::pop_head() noexcept {
  ReplyNode* node = head_;
  head_ = node->next;
  if (head_ == nullptr) {
    tail_ = nullptr;
  }
  return node;
}

void ReplyStream::free_chain(ReplyMemory& memory, LoanReader& reader, ReplyNode* node) noexcept {
  while (node != nullptr) {
    ReplyNode* next = node->next;
    if (node->kind == NodeKind::Bytes) {
      memory.buffers().drop_reference(node->buffer);
    } else {
      reader.give_back(node->loan);
      --lent_count_;
    }
    memory.free_node(node);
    --node_count_;
    node = next;
  }
}

void ReplyStream::drop_own_buffer(ReplyMemory& memory) noexcept {
  if (own_ != nullptr) {
    memory.buffers().drop_reference(own_);
    own_ = nullptr;
  }
}

}  // namespace millrace::worker
