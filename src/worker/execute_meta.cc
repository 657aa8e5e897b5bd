#include "worker/execute_meta.h"

#include <charconv>
#include <cstring>

#include "protocol/meta/base64.h"
#include "protocol/reply.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

namespace meta = protocol::meta;
namespace given = protocol::meta::given;

static_assert(meta::kLineBytesMax + 20 + 2 <= mesh::kReplyLineBytesMax, "an ma answers with its number behind");

char* write_text(char* at, std::string_view text) noexcept { return at + text.copy(at, text.size()); }

}  // namespace

void MetaExecutor::execute() noexcept {
  using protocol::Command;
  switch (operation_.command) {
    case Command::Get:
    case Command::Gat:
      return get();
    case Command::Delete:
      return remove();
    case Command::Incr:
    case Command::Decr:
      return arith();
    case Command::MetaDebug:
      return debug();
    default:
      return store();
  }
}

// --- mg

void MetaExecutor::get() noexcept {
  const store::Item* item = partition_.find(operation_.key, now_s_);
  if (MR_UNLIKELY(worker_.observes_)) {
    worker_.observe_get(operation_, item, connection_);
  }
  const bool is_new = item == nullptr && has(given::kVivify);
  if (is_new) {
    item = partition_.vivify(operation_.key, new_cas(), now_s_);
  }
  if (item == nullptr) {
    partition_.count_get(nullptr, false);
    say("EN", true);
    return;
  }
  const Times times = follow_times(item->expires_at(), is_new, item->has_won());
  const bool had_token = item->has_won();
  const bool is_stale = item->is_stale();
  const bool wins = times.wins || (is_stale && !had_token);
  const meta::Shown shown = show(*item, times.shown);
  item = partition_.change(operation_.key,
                           {.expires_at = times.is_changed ? std::optional(times.expires_at) : std::nullopt,
                            .wins = wins,
                            .bumps = !has(given::kNoBump)},
                           now_s_);
  partition_.count_get(item, times.is_touched);
  if (item == nullptr) {
    say("EN", true);
    return;
  }

  const bool is_same = has(given::kCompare) && shown.cas == extra_.args.compare;
  char* at = reply_.text.data();
  if (has(given::kValue) && !is_same) {
    reply_.value = item;
    at = protocol::write_number(write_text(at, "VA "), shown.value_bytes);
  } else {
    at = write_text(at, "HD");
  }
  at = meta::write_returns(at, extra_, shown);
  at = write_text(at, had_token ? " Z" : "");
  at = write_text(at, is_stale ? " X" : "");
  at = write_text(at, wins ? " W" : "");
  end_line(at);
}

MetaExecutor::Times MetaExecutor::follow_times(store::Seconds before, bool is_new, bool has_won) const noexcept {
  Times times{.expires_at = before, .shown = before};
  const auto move_to = [&](store::Seconds at) {
    times.expires_at = at;
    times.is_changed = true;
  };
  for (const char letter : extra_.returns) {
    switch (letter) {
      case 't':
        times.shown = times.expires_at;
        break;
      case 'T':
        times.is_touched = true;
        move_to(operation_.expires_at);
        break;
      case 'N':
        if (is_new) {
          move_to(worker_.expiry_of(extra_.args.vivify_exptime));
          times.wins = true;
        }
        break;
      case 'R':
        times.wins |= !has_won && !is_new && times.expires_at != store::kNever &&
                      times.expires_at < worker_.expiry_of(extra_.args.recache_exptime);
        break;
      default:
        break;
    }
  }
  return times;
}

meta::Shown MetaExecutor::show(const store::Item& item, store::Seconds expires_at) const noexcept {
  return {.key = operation_.key.bytes,
          .value_bytes = item.value_bytes(),
          .ttl_s = expires_at == store::kNever ? -1 : std::max<std::int64_t>(std::int64_t{expires_at} - now_s_, 0),
          .cas = worker_.shared_.cas_enabled ? item.cas() : 0,
          .client_flags = item.client_flags(),
          .idle_s = partition_.age(item, now_s_),
          .was_fetched = item.was_fetched()};
}

// --- ms

void MetaExecutor::store() noexcept {
  say_stored(partition_.store(operation_.key, operation_.value, store_args(), meta_store_args(), now_s_),
             static_cast<std::uint32_t>(operation_.value.size()));
}

void MetaExecutor::commit(const store::Reservation& reservation) noexcept {
  say_stored(partition_.commit(reservation, operation_.key.hash, store_args(), meta_store_args(), now_s_),
             reservation.value_bytes);
}

store::StoreArgs MetaExecutor::store_args() const noexcept {
  return {.mode = store_mode(operation_.command),
          .flags = operation_.flags,
          .expires_at = operation_.expires_at,
          .cas_compare = operation_.number};
}

store::MetaStoreArgs MetaExecutor::meta_store_args() const noexcept {
  return {.vivifies = has(given::kVivify) && (operation_.command == protocol::Command::Append ||
                                              operation_.command == protocol::Command::Prepend),
          .takes_stale = has(given::kInvalidate) && operation_.command == protocol::Command::Cas,
          .given_cas = new_cas()};
}

void MetaExecutor::say_stored(const store::StoreReply& stored, std::uint32_t value_bytes) noexcept {
  if (MR_UNLIKELY(worker_.observes_)) {
    worker_.observe_store(operation_, stored.outcome, value_bytes, connection_);
  }
  std::string_view code;
  switch (stored.outcome) {
    case store::Outcome::Stored:
      code = "HD";
      break;
    case store::Outcome::NotStored:
      code = "NS";
      break;
    case store::Outcome::Exists:
      code = "EX";
      break;
    case store::Outcome::NotFound:
      code = "NF";
      break;
    default:
      reply_.set(outcome_line(stored.outcome));
      return;
  }
  const bool is_stored = stored.outcome == store::Outcome::Stored;
  if (is_stored && has(given::kQuiet)) {
    return;
  }
  meta::Shown shown{
      .key = operation_.key.bytes, .value_bytes = value_bytes, .cas = worker_.shared_.cas_enabled ? stored.cas : 0};
  const bool joins =
      operation_.command == protocol::Command::Append || operation_.command == protocol::Command::Prepend;
  if (is_stored && joins && extra_.returns.find('s') != std::string_view::npos) {
    const store::Item* joined = partition_.peek(operation_.key, now_s_);
    shown.value_bytes = joined != nullptr ? joined->value_bytes() : shown.value_bytes;
  }
  end_line(meta::write_returns(write_text(reply_.text.data(), code), extra_, shown));
}

// --- md

void MetaExecutor::remove() noexcept {
  const store::MetaDeleteArgs args{
      .compare = has(given::kCompare) ? std::optional(extra_.args.compare) : std::nullopt,
      .marks_stale = has(given::kInvalidate),
      .removes_value = has(given::kRemoveValue),
      .flags = operation_.flags,
      .expires_at = has(given::kTouch) ? std::optional(operation_.expires_at) : std::nullopt,
      .given_cas = new_cas()};
  if (MR_UNLIKELY(worker_.observes_) && !args.marks_stale) {
    worker_.observe_delete(operation_);
  }
  switch (partition_.remove(operation_.key, args, now_s_)) {
    case store::Outcome::Deleted:
      say("HD", true);
      return;
    case store::Outcome::Exists:
      say("EX", false);
      return;
    case store::Outcome::NotFound:
      say("NF", false);
      return;
    default:
      reply_.set(protocol::reply::kOutOfMemory);
      return;
  }
}

// --- ma

void MetaExecutor::arith() noexcept {
  bool is_new = false;
  const store::ArithReply counted = partition_.arith(operation_.key,
                                                     {.delta = extra_.args.delta,
                                                      .is_decrement = operation_.command == protocol::Command::Decr,
                                                      .compare = has(given::kCompare) ? extra_.args.compare : 0,
                                                      .vivifies = has(given::kVivify),
                                                      .initial = extra_.args.initial,
                                                      .given_cas = new_cas()},
                                                     now_s_, is_new);
  switch (counted.outcome) {
    case store::Outcome::Stored:
      break;
    case store::Outcome::NotFound:
      say("NF", false);
      return;
    case store::Outcome::Exists:
      say("EX", false);
      return;
    case store::Outcome::NotNumeric:
      reply_.set(protocol::reply::kNotNumeric);
      return;
    default:
      reply_.set(has(given::kVivify) ? protocol::reply::kOutOfMemoryAllocating : protocol::reply::kOutOfMemory);
      return;
  }
  const store::Item* item = partition_.peek(operation_.key, now_s_);
  meta::Shown shown{.key = operation_.key.bytes, .cas = worker_.shared_.cas_enabled ? counted.cas : 0};
  if (item != nullptr) {
    const Times times = follow_times(item->expires_at(), is_new, item->has_won());
    shown = show(*item, times.shown);
    if (times.is_changed) {
      partition_.change(operation_.key, {.expires_at = times.expires_at}, now_s_);
    }
  }
  if (has(given::kQuiet)) {
    return;
  }
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof digits, counted.number).ptr;
  const std::string_view number{digits, static_cast<std::size_t>(end - digits)};
  char* at = reply_.text.data();
  at = has(given::kValue) ? protocol::write_number(write_text(at, "VA "), number.size()) : write_text(at, "HD");
  at = meta::write_returns(at, extra_, shown);
  if (has(given::kValue)) {
    at = write_text(write_text(at, protocol::reply::kCrlf), number);
  }
  end_line(at);
}

// --- me

void MetaExecutor::debug() noexcept {
  ++worker_.counters_.cmd_meta;
  const store::Item* item = partition_.peek(operation_.key, now_s_);
  if (item == nullptr) {
    reply_.set(protocol::reply::kMetaMiss);
    return;
  }
  const meta::Shown shown = show(*item, item->expires_at());
  char* at = write_text(reply_.text.data(), "ME ");
  at = has(given::kBinaryKey) ? meta::encode_base64(at, operation_.key.bytes) : write_text(at, operation_.key.bytes);
  const auto add = [&](std::string_view name, std::uint64_t number) {
    at = protocol::write_number(write_text(at, name), number);
  };
  if (shown.ttl_s < 0) {
    at = write_text(at, " exp=-1");
  } else {
    add(" exp=", static_cast<std::uint64_t>(shown.ttl_s));
  }
  add(" la=", shown.idle_s);
  add(" cas=", shown.cas);
  at = write_text(at, shown.was_fetched ? " fetch=yes" : " fetch=no");
  add(" cls=", partition_.class_id_of(*item));
  add(" size=", item->item_bytes());
  end_line(at);
}

// --- words

void MetaExecutor::say(std::string_view code, bool is_expected) noexcept {
  if (is_expected && has(given::kQuiet)) {
    return;
  }
  end_line(meta::write_reflected(write_text(reply_.text.data(), code), extra_, operation_.key.bytes));
}

void MetaExecutor::end_line(char* at) noexcept { reply_.set_end(write_text(at, protocol::reply::kCrlf)); }

std::optional<store::Cas> MetaExecutor::new_cas() const noexcept {
  return has(given::kNewCas) ? std::optional(extra_.args.new_cas) : std::nullopt;
}

}  // namespace millrace::worker
