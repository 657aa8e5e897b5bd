// An item as it lies in the arena, and the chunks a large one is continued in. Plain bytes with accessors.
//
// Thread: the partition's owner writes; whoever holds a pin may read key, flags and value, and whoever holds a
// reservation may fill its value, from another core too. Ownership: the partition. Invariants: the first byte of every
// chunk ever handed out is its state, so that a sweep over a page can tell what each slot is; everything else of a
// chunk may only be read once its kind is known.
//
//  word (8 bytes, little endian)
//   63   62                                17     16     15        8 7             0
//  +-----+---------------------------------+----------+-----------+---------------+
//  |given|  change (46): number of the last| has_time | key_bytes | state         |
//  +-----+---------------------------------+----------+-----------+---------------+
//  value_bytes (2); 0xffff: chained
//  then, each only when there:  expires_at (4): whole seconds, 0 never
//                               | total value_bytes (4), next chunk (4), older (4) and newer (4) chained item
//                               | client flags (4) | given cas (8)
//  then key and value
//
//  state:   7        6       5           4         3   2    1    0
//         +--------+-------+-----------+---------+---------+---------+
//         | win    | stale | has_flags | fetched |  clock  |  kind   |
//         +--------+-------+-----------+---------+---------+---------+
//  clock 3 and not fetched, which hits cannot lead to: in probation (partition_probation.cc). A hit ends that.
//  kind: 0 free, 1 item (in the index), 2 held (not in the index: a reservation, or gone but still pinned),
//        3 continuation of a chained item.   stale: the value is known to be old; win: a client has been told to renew
//        it.   given: a client gave the item a CAS number of its own, which is told instead of the change's.
//
// A chained head always has a time: four bytes in eight thousand, and its chain is always at the same place.
//
// Why not chain with the 8-byte header of two references alone: a sweep needs the state byte too.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/attributes.h"
#include "store/limits.h"
#include "store/types.h"

namespace millrace::store {

static_assert(std::endian::native == std::endian::little, "the state byte comes first");

/// Names a chunk: its offset in the arena in units of 8 bytes. Zero names none (page 0 belongs to the index).
enum class ItemRef : std::uint32_t {
};

enum class Kind : std::uint8_t {
  Free = 0,
  Item = 1,
  Held = 2,
  Continuation = 3,
};

namespace state {
inline constexpr std::uint8_t kKindMask = 0b0000'0011;
inline constexpr std::uint8_t kClockOne = 0b0000'0100;
inline constexpr std::uint8_t kClockMask = 0b0000'1100;
inline constexpr std::uint8_t kFetched = 0b0001'0000;
inline constexpr std::uint8_t kHasFlags = 0b0010'0000;
inline constexpr std::uint8_t kStale = 0b0100'0000;
inline constexpr std::uint8_t kWin = 0b1000'0000;
}  // namespace state

inline constexpr std::uint32_t kItemHeaderBytes = 10;
inline constexpr std::uint32_t kTimeBytes = 4;    ///< of an item that can expire
inline constexpr std::uint32_t kChainBytes = 16;  ///< a chained head's total and next, its older and newer
inline constexpr std::uint32_t kClientFlagsBytes = 4;
inline constexpr std::uint32_t kGivenCasBytes = 8;
inline constexpr std::uint32_t kContinuationBytes = 12;  ///< header of a continuation chunk
inline constexpr std::uint16_t kChainedMark = 0xffff;
inline constexpr std::uint32_t kCasShift = 17;
inline constexpr Cas kCasMax = (Cas{1} << (63 - kCasShift)) - 1;  ///< of a change's number; a given one is any

/// The kind of the chunk that starts here.
[[nodiscard]] MR_ALWAYS_INLINE Kind kind_at(const std::byte* chunk) noexcept {
  return static_cast<Kind>(static_cast<std::uint8_t>(*chunk) & state::kKindMask);
}

class __attribute__((packed, aligned(2))) Item {
 public:
  // --- for everybody
  [[nodiscard]] std::string_view key() const noexcept {
    const std::uint64_t w = word();
    return {bytes() + key_offset(w), key_bytes(w)};
  }
  [[nodiscard]] std::uint32_t client_flags() const noexcept { return has_client_flags() ? load32(flags_offset()) : 0; }
  [[nodiscard]] std::uint32_t value_bytes() const noexcept {
    return MR_UNLIKELY(is_chained()) ? load32(kChainAt) : value_bytes_;
  }
  /// What clients are told: the number of the last change, unless one of them gave another.
  [[nodiscard]] Cas cas() const noexcept {
    return MR_UNLIKELY(has_given_cas()) ? load64(given_cas_offset()) : change();
  }
  [[nodiscard]] bool is_stale() const noexcept { return (state() & state::kStale) != 0; }
  [[nodiscard]] bool has_won() const noexcept { return (state() & state::kWin) != 0; }
  [[nodiscard]] Seconds expires_at() const noexcept { return has_time() ? load32(kItemHeaderBytes) : kNever; }
  [[nodiscard]] bool was_fetched() const noexcept { return (state() & state::kFetched) != 0; }
  /// Header, key and value together: what counts against -I and in `bytes`.
  [[nodiscard]] std::uint64_t item_bytes() const noexcept { return std::uint64_t{value_offset()} + value_bytes(); }
  /// The value, when it is not chained; else its first piece.
  [[nodiscard]] const char* value() const noexcept { return bytes() + value_offset(); }
  [[nodiscard]] bool is_chained() const noexcept { return value_bytes_ == kChainedMark; }
  /// What a get tells of an item.
  struct View {
    const char* value = nullptr;  ///< when it is chained, its first piece
    std::uint32_t value_bytes = 0;
    std::uint32_t client_flags = 0;
    std::uint64_t item_bytes = 0;
    bool is_chained = false;
  };
  /// An item's first word, loaded once, and what it tells: of an item, each question is a load of its own.
  class Head {
   public:
    Head() = default;
    explicit Head(const Item& item) noexcept
        : item_(&item), word_(item.word()), key_(item.bytes() + item.key_offset_of_any(word_)) {}

    [[nodiscard]] explicit operator bool() const noexcept { return item_ != nullptr; }
    [[nodiscard]] const Item& item() const noexcept { return *item_; }
    [[nodiscard]] std::string_view key() const noexcept { return {key_, key_bytes(word_)}; }
    [[nodiscard]] Seconds expires_at() const noexcept {
      return (word_ & kHasTime) != 0 ? item_->load32(kItemHeaderBytes) : kNever;
    }
    [[nodiscard]] Cas change() const noexcept { return word_ << 1 >> (kCasShift + 1); }
    /// Whether bump() would change anything.
    [[nodiscard]] bool is_at_top() const noexcept { return (word_ & kReferenceBits) == kReferenceBits; }
    [[nodiscard]] MR_ALWAYS_INLINE View view() const noexcept {
      const bool chained = item_->is_chained();
      const std::uint32_t value_bytes = MR_UNLIKELY(chained) ? item_->load32(kChainAt) : item_->value_bytes_;
      const char* const value = key_ + key_bytes(word_);
      return {.value = value,
              .value_bytes = value_bytes,
              .client_flags = (word_ & state::kHasFlags) != 0 ? item_->load32(item_->flags_offset(word_)) : 0,
              .item_bytes = static_cast<std::uint64_t>(value - item_->bytes()) + value_bytes,
              .is_chained = chained};
    }

   private:
    const Item* item_ = nullptr;
    std::uint64_t word_ = 0;
    const char* key_ = nullptr;
  };

  // --- for the store
  /// Lays the header out for a held item; the caller then fills key and value.
  void start(std::uint32_t key_bytes, bool with_time, bool with_flags, bool chained, std::uint32_t value_bytes,
             bool with_given_cas = false) noexcept {
    MR_DCHECK(with_time || !chained);
    set_word((std::uint64_t{key_bytes} << 8) | static_cast<std::uint8_t>(Kind::Held) |
             (with_given_cas ? kGivenCasBit : std::uint64_t{0}) | (with_time ? kHasTime : std::uint64_t{0}) |
             (with_flags ? state::kHasFlags : std::uint8_t{0}));
    value_bytes_ = chained ? kChainedMark : static_cast<std::uint16_t>(value_bytes);
    if (with_time) {
      store32(kItemHeaderBytes, kNever);
    }
    if (chained) {
      store32(kChainAt, value_bytes);
      set_next(ItemRef{});
      set_large_links(ItemRef{}, ItemRef{});
    }
    if (with_flags) {
      store32(flags_offset(), 0);
    }
  }
  void set_key(std::string_view key) noexcept { std::memcpy(bytes() + key_offset(), key.data(), key.size()); }
  void set_client_flags(std::uint32_t flags) noexcept { store32(flags_offset(), flags); }
  /// The number of a change, in the order in which they were made; a given one before it is forgotten.
  void set_cas(Cas change) noexcept {
    renumber(change);
    if (MR_UNLIKELY(has_given_cas())) {
      set_given_cas(change);
    }
  }
  /// The same, of an item that is numbered anew; a given one stays.
  void renumber(Cas change) noexcept {
    set_word((word() & (kGivenCasBit | ((1U << kCasShift) - 1))) | (change << kCasShift));
  }
  /// Only when has_given_cas().
  void set_given_cas(Cas cas) noexcept { std::memcpy(bytes() + given_cas_offset(), &cas, sizeof cas); }
  [[nodiscard]] bool has_given_cas() const noexcept { return (word() & kGivenCasBit) != 0; }
  [[nodiscard]] Cas change() const noexcept { return word() << 1 >> (kCasShift + 1); }
  void set_marks(bool stale, bool win) noexcept {
    set_state(static_cast<std::uint8_t>((state() & ~(state::kStale | state::kWin)) |
                                        (stale ? state::kStale : std::uint8_t{0}) |
                                        (win ? state::kWin : std::uint8_t{0})));
  }
  /// Only when has_time().
  void set_expires_at(Seconds at) noexcept { store32(kItemHeaderBytes, at); }
  /// Makes room for a time in an item that is not chained and whose chunk has it.
  void insert_time() noexcept {
    MR_DCHECK(!has_time() && !is_chained());
    char* from = bytes() + kItemHeaderBytes;
    std::memmove(from + kTimeBytes, from, item_bytes() - kItemHeaderBytes);
    set_word(word() | kHasTime);
    store32(kItemHeaderBytes, kNever);
  }
  /// What is neither size nor place, from another item of the same key: number, hits, marks.
  void take_history(const Item& from) noexcept {
    constexpr std::uint64_t kOwn = kGivenCasBit | kHasTime | 0xff00 | state::kHasFlags | state::kKindMask;
    set_word((word() & kOwn) | (from.word() & ~kOwn));
  }
  /// Lays the header out anew for another value of the same key in the same chunk. The item stays one, its hits stay, a
  /// given cas does not. True when the key has to be written again.
  bool start_over(bool with_time, bool with_flags, std::uint32_t value_bytes) noexcept {
    MR_DCHECK(kind() == Kind::Item && !is_chained());
    const std::uint64_t old = word();
    const std::uint64_t fresh = (old & (std::uint64_t{0xff00} | kReferenceBits)) |
                                static_cast<std::uint8_t>(Kind::Item) | (with_time ? kHasTime : std::uint64_t{0}) |
                                (with_flags ? state::kHasFlags : std::uint8_t{0});
    set_word(fresh);
    value_bytes_ = static_cast<std::uint16_t>(value_bytes);
    if (with_time) {
      store32(kItemHeaderBytes, kNever);
    }
    return key_offset(fresh) != key_offset(old);
  }
  void set_kind(Kind kind) noexcept {
    set_word((word() & ~std::uint64_t{state::kKindMask}) | static_cast<std::uint8_t>(kind));
  }
  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(state() & state::kKindMask); }
  [[nodiscard]] std::uint32_t key_bytes() const noexcept { return key_bytes(word()); }
  [[nodiscard]] bool has_client_flags() const noexcept { return (state() & state::kHasFlags) != 0; }
  [[nodiscard]] bool has_time() const noexcept { return (word() & kHasTime) != 0; }
  [[nodiscard]] char* value() noexcept { return bytes() + value_offset(); }
  [[nodiscard]] std::uint32_t value_offset() const noexcept {
    const std::uint64_t w = word();
    return key_offset(w) + key_bytes(w);
  }

  [[nodiscard]] std::uint32_t clock() const noexcept { return (state() & state::kClockMask) / state::kClockOne; }
  /// A hit: one step up to 3, and never a write once there is nothing to change.
  void bump() noexcept {
    const std::uint8_t s = state();
    if ((s & kReferenceBits) != kReferenceBits) {
      const std::uint8_t step = (s & state::kClockMask) != state::kClockMask ? state::kClockOne : std::uint8_t{0};
      set_state(static_cast<std::uint8_t>((s + step) | state::kFetched));
    }
  }
  [[nodiscard]] bool is_in_probation() const noexcept { return reference_bits() == state::kClockMask; }
  /// The same, and that it is an item at all: what an old reference leads to may be anything.
  [[nodiscard]] bool is_item_in_probation() const noexcept {
    return (state() & (state::kKindMask | kReferenceBits)) ==
           (static_cast<std::uint8_t>(Kind::Item) | state::kClockMask);
  }
  void set_in_probation() noexcept { set_reference_bits(state::kClockMask); }
  /// Another count; whether it was fetched stays.
  void set_clock(std::uint32_t count) noexcept {
    set_word((word() & ~std::uint64_t{state::kClockMask}) | (count * state::kClockOne));
  }
  /// The hand has passed: one step down. Only when clock() > 0.
  void cool() noexcept { set_word(word() - state::kClockOne); }
  /// Clock and fetched together, to carry over to a new value of the key.
  [[nodiscard]] std::uint8_t reference_bits() const noexcept { return state() & kReferenceBits; }
  void set_reference_bits(std::uint8_t bits) noexcept { set_word((word() & ~std::uint64_t{kReferenceBits}) | bits); }
  /// Another length for a value that is not chained and has the room.
  void resize_value(std::uint32_t value_bytes) noexcept { value_bytes_ = static_cast<std::uint16_t>(value_bytes); }

  /// Second chunk of a chained item.
  [[nodiscard]] ItemRef next() const noexcept { return static_cast<ItemRef>(load32(kChainAt + 4)); }
  void set_next(ItemRef next) noexcept { store32(kChainAt + 4, static_cast<std::uint32_t>(next)); }
  /// Its neighbours in large_values.h.
  [[nodiscard]] ItemRef older_large() const noexcept { return static_cast<ItemRef>(load32(kChainAt + 8)); }
  [[nodiscard]] ItemRef newer_large() const noexcept { return static_cast<ItemRef>(load32(kChainAt + 12)); }
  void set_older_large(ItemRef older) noexcept { store32(kChainAt + 8, static_cast<std::uint32_t>(older)); }
  void set_newer_large(ItemRef newer) noexcept { store32(kChainAt + 12, static_cast<std::uint32_t>(newer)); }
  void set_large_links(ItemRef older, ItemRef newer) noexcept {
    set_older_large(older);
    set_newer_large(newer);
  }

 private:
  // A neighbour that reads a pinned item learns from this word where the key begins, while the owner counts hits in it:
  // one whole load, one whole store, no order asked for. The same instructions as plain ones.
  [[nodiscard]] std::uint64_t word() const noexcept {
    return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(this), __ATOMIC_RELAXED);
  }
  void set_word(std::uint64_t word) noexcept {
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(this), word, __ATOMIC_RELAXED);
  }

  static constexpr std::uint64_t kGivenCasBit = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kHasTime = std::uint64_t{1} << (kCasShift - 1);
  static constexpr std::uint32_t kChainAt = kItemHeaderBytes + kTimeBytes;
  static constexpr std::uint8_t kReferenceBits = state::kClockMask | state::kFetched;

  [[nodiscard]] std::uint8_t state() const noexcept { return static_cast<std::uint8_t>(word()); }
  void set_state(std::uint8_t s) noexcept { set_word((word() & ~std::uint64_t{0xff}) | s); }
  [[nodiscard]] std::uint32_t flags_offset() const noexcept { return flags_offset(word()); }
  [[nodiscard]] MR_ALWAYS_INLINE std::uint32_t flags_offset(std::uint64_t w) const noexcept {
    return kItemHeaderBytes + four_if<kHasTime>(w) + (MR_UNLIKELY(is_chained()) ? kChainBytes : 0);
  }
  [[nodiscard]] std::uint32_t given_cas_offset() const noexcept {
    return flags_offset() + (has_client_flags() ? kClientFlagsBytes : 0);
  }
  [[nodiscard]] std::uint32_t key_offset() const noexcept { return key_offset(word()); }
  /// The same of a first word that was loaded already. Mostly nothing is before the key but the header. (A chained item
  /// has a time.)
  [[nodiscard]] MR_ALWAYS_INLINE std::uint32_t key_offset(std::uint64_t w) const noexcept {
    return MR_LIKELY((w & (kHasTime | state::kHasFlags | kGivenCasBit)) == 0) ? kItemHeaderBytes : key_offset_of_any(w);
  }
  /// The same where it is half and half, item by item: without a branch on it.
  [[nodiscard]] MR_ALWAYS_INLINE std::uint32_t key_offset_of_any(std::uint64_t w) const noexcept {
    const std::uint32_t with_flags = flags_offset(w) + four_if<state::kHasFlags>(w);
    return MR_LIKELY((w & kGivenCasBit) == 0) ? with_flags : with_flags + kGivenCasBytes;
  }
  /// Time and flags have four bytes each.
  template <std::uint64_t kBit>
  [[nodiscard]] static MR_ALWAYS_INLINE std::uint32_t four_if(std::uint64_t w) noexcept {
    static_assert(kTimeBytes == 4 && kClientFlagsBytes == 4 && kBit >= 4);
    return static_cast<std::uint32_t>(w / (kBit / 4)) & 4;
  }
  [[nodiscard]] static std::uint32_t key_bytes(std::uint64_t w) noexcept { return static_cast<std::uint8_t>(w >> 8); }
  [[nodiscard]] const char* bytes() const noexcept { return reinterpret_cast<const char*>(this); }
  [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this); }
  [[nodiscard]] std::uint32_t load32(std::uint32_t at) const noexcept {
    std::uint32_t v;
    std::memcpy(&v, bytes() + at, sizeof v);
    return v;
  }
  [[nodiscard]] std::uint64_t load64(std::uint32_t at) const noexcept {
    std::uint64_t v;
    std::memcpy(&v, bytes() + at, sizeof v);
    return v;
  }
  void store32(std::uint32_t at, std::uint32_t v) noexcept { std::memcpy(bytes() + at, &v, sizeof v); }

  [[maybe_unused]] std::uint64_t word_;  ///< by word() and set_word() only
  std::uint16_t value_bytes_;
};
static_assert(sizeof(Item) == kItemHeaderBytes);
static_assert(kItemHeaderBytes + 1 + 0xffff > kPageBytesMax, "no contiguous value reaches the chained mark");

/// Opens every chunk of a chained item but the first.
///   byte 0: state (kind 3) | 1..3: zero | 4..7: next chunk, 0 at the end | 8..11: the head
struct Continuation {
  std::uint8_t state;
  std::uint8_t zero[3];
  ItemRef next;
  ItemRef head;

  [[nodiscard]] const char* payload() const noexcept { return reinterpret_cast<const char*>(this) + sizeof *this; }
  [[nodiscard]] char* payload() noexcept { return reinterpret_cast<char*>(this) + sizeof *this; }
};
static_assert(sizeof(Continuation) == kContinuationBytes);

/// Bytes of an item before it is laid out; whether it is chained costs kChainBytes more.
struct ItemShape {
  std::uint32_t key_bytes = 0;
  bool with_time = false;
  bool with_flags = false;
  std::uint32_t value_bytes = 0;
  bool with_given_cas = false;

  [[nodiscard]] std::uint64_t contiguous_bytes() const noexcept {
    return std::uint64_t{kItemHeaderBytes} + (with_time ? kTimeBytes : 0) + (with_flags ? kClientFlagsBytes : 0) +
           (with_given_cas ? kGivenCasBytes : 0) + key_bytes + value_bytes;
  }
};

/// Dead by time: an item whose second has come. Never (0) wraps to the far end.
[[nodiscard]] constexpr bool has_expired(Seconds expires_at, Seconds now) noexcept { return expires_at - 1 < now; }

/// What visit_class() calls. False ends the walk.
class ItemVisitor {
 public:
  virtual bool visit(const Item& item) noexcept = 0;

 protected:
  ~ItemVisitor() = default;
};

}  // namespace millrace::store
