// A client of the meta commands that knows what must come back (client_script.h): quiet mode, opaques, keys in base64,
// stale values and who renews them, CAS numbers that it brings along (those of the partitions nobody can foretell).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/meta/base64.h"
#include "sim/client_script.h"

namespace millrace::tests {

class MetaScript final : public ClientScript {
 public:
  using ClientScript::ClientScript;

  void add_command(std::string& request) override {
    switch (draw(14)) {
      case 0:
      case 1:
      case 2:
        return store(request);
      case 3:
        return concat(request);
      case 4:
        return remove(request);
      case 5:
      case 6:
        return arith(request);
      case 7:
        return classic_get(request);
      case 8:
        request += "mn\r\n";
        expected_ += "MN\r\n";
        return;
      default:
        return get(request);
    }
  }

 private:
  static constexpr std::uint64_t kLongTtl_s = 1'000'000;  // no world lives that long
  static constexpr std::uint64_t kNobodysCas = 1ULL << 63U;

  struct Value {
    std::uint32_t flags = 0;
    std::string bytes{};
    std::optional<std::uint64_t> cas{};  ///< none: the partition's own
    bool expires = false;                ///< in kLongTtl_s
    bool is_stale = false;
    bool has_won = false;                  ///< somebody was told to renew it
    std::optional<bool> was_read = false;  ///< stays with the key (compatibility.md); none: not to be foretold
  };

  /// One request line in the making, and the beginning of its answer.
  struct Line {
    std::string key;
    std::string asked;
    std::string returned;
    bool is_quiet = false;
  };

  static std::string base64(std::string_view bytes) {
    std::string text(protocol::meta::base64_bytes(bytes.size()), '\0');
    protocol::meta::encode_base64(text.data(), bytes);
    return text;
  }

  /// `verb key` and what any command may have: an opaque, the key told again, quiet. `middle`: what follows the key.
  Line begin(const std::string& verb, const std::string& key, const std::string& middle = {}) {
    const bool is_binary = maybe(4);
    const std::string told = is_binary ? base64(key) : key;
    Line line{.key = key, .asked = verb + " " + told + middle, .returned = {}, .is_quiet = maybe(4)};
    if (is_binary) {
      line.asked += " b";
    }
    if (maybe(2)) {
      const std::string opaque = " O" + std::string(draw(32), static_cast<char>('0' + draw(10)));
      line.asked += opaque;
      line.returned += opaque;
    }
    if (maybe(3)) {
      line.asked += " k";
      line.returned += " k" + told + (is_binary ? " b" : "");
    }
    if (line.is_quiet) {
      line.asked += " q";
    }
    return line;
  }

  void say(const Line& line, std::string_view code) { expected_ += std::string(code) + line.returned + "\r\n"; }
  void say_unless_quiet(const Line& line, std::string_view code) {
    if (!line.is_quiet) {
      say(line, code);
    }
  }

  /// E: the number that the next value is to have. Without it nobody knows.
  std::optional<std::uint64_t> give_cas(Line& line) {
    if (maybe(3)) {
      return std::nullopt;
    }
    const std::uint64_t cas = 1'000'000'000'000 + draw(1'000'000);
    line.asked += " E" + std::to_string(cas);
    return cas;
  }
  /// C, of a value whose number is known or with one that none has: whether it is the value's.
  bool compare(Line& line, const Value* value) {
    const bool is_right = value != nullptr && value->cas && maybe(2);
    line.asked += " C" + std::to_string(is_right ? *value->cas : kNobodysCas);
    return is_right;
  }

  Value* find(const std::string& key) {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }

  // --- mg

  void get(std::string& request) {
    Line line = begin("mg", maybe(4) ? number_key() : key());
    Value* value = find(line.key);
    const bool vivifies = maybe(5);
    const bool is_new = vivifies && value == nullptr;
    if (vivifies) {
      line.asked += " N" + std::to_string(kLongTtl_s);
      const std::optional<std::uint64_t> cas = give_cas(line);
      if (is_new) {
        value = &(values_[line.key] = {.cas = cas, .expires = true, .was_read = std::nullopt});
      }
    }
    const bool recaches = maybe(6);
    const bool is_near = recaches && maybe(2);  // its R is beyond what is left of the value's life
    if (recaches) {
      line.asked += " R" + std::to_string(is_near ? 2 * kLongTtl_s : 30);
    }
    const bool wants_value = !maybe(4);
    const bool compares = maybe(6);
    const bool is_same = compares && compare(line, value);
    const bool bumps = !maybe(5);
    line.asked += std::string(wants_value ? " v" : "") + (bumps ? "" : " u");
    ask_returns(line, value, vivifies);
    const std::uint64_t touch = draw(12);  // 0: for long, 1: for ever, 2: not any more
    if (touch < 3) {
      line.asked += touch == 0 ? " T" + std::to_string(kLongTtl_s) : touch == 1 ? " T0" : " T-1";
    }
    request += line.asked + "\r\n";
    if (value == nullptr) {
      return say_unless_quiet(line, "EN");
    }
    const bool wins = is_new || (!value->has_won && (value->is_stale || (is_near && value->expires)));
    line.returned += std::string(value->has_won ? " Z" : "") + (value->is_stale ? " X" : "") + (wins ? " W" : "");
    if (wants_value && !is_same) {
      say(line, "VA " + std::to_string(value->bytes.size()));
      expected_ += value->bytes + "\r\n";
    } else {
      say(line, "HD");
    }
    value->has_won |= wins;
    if (bumps) {
      value->was_read = value->was_read || !is_new ? std::optional(true) : std::nullopt;
    }
    if (touch == 2) {
      values_.erase(line.key);
    } else if (touch < 2) {
      value->expires = touch == 0;
    }
  }

  /// s, f, t, c, h in any order, as far as the answer can be foretold.
  void ask_returns(Line& line, const Value* value, bool vivifies) {
    for (std::uint64_t left = draw(4), taken = 0; left > 0; --left) {
      const std::uint64_t which = draw(5);
      if ((taken >> which & 1U) != 0) {
        continue;
      }
      taken |= 1ULL << which;
      std::string told;
      switch (which) {
        case 0:
          told = value == nullptr ? "s" : "s" + std::to_string(value->bytes.size());
          break;
        case 1:
          told = value == nullptr ? "f" : "f" + std::to_string(value->flags);
          break;
        case 2:
          told = value == nullptr ? "t" : value->expires || vivifies ? "" : "t-1";
          break;
        case 3:
          told = value == nullptr ? "c" : value->cas ? "c" + std::to_string(*value->cas) : "";
          break;
        default:
          told = value == nullptr ? "h" : value->was_read && !vivifies ? *value->was_read ? "h1" : "h0" : "";
          break;
      }
      if (!told.empty()) {
        line.asked += std::string(" ") + told[0];
        line.returned += value == nullptr ? "" : " " + told;
      }
    }
  }

  // --- ms

  void store(std::string& request) {
    const std::uint64_t mode = draw(8);  // 0: add, 1: replace, 2 and 3: compare, else set
    std::string v = value();
    Line line = begin("ms", key(), " " + std::to_string(v.size()));
    Value* old = find(line.key);
    Value stored{.flags = flags(), .bytes = std::move(v)};
    bool stores = true;
    std::string_view refusal = "NS";
    if (mode == 0) {
      line.asked += " ME";
      stores = old == nullptr;
    } else if (mode == 1) {
      line.asked += " MR";
      stores = old != nullptr;
    } else if (mode < 4) {
      stores = compare_to_store(line, old, stored, refusal);
    } else if (maybe(4)) {
      line.asked += " MS";
    }
    stored.cas = give_cas(line);
    if (stored.flags != 0) {
      line.asked += " F" + std::to_string(stored.flags);
    }
    const std::uint64_t ttl = draw(8);  // 0: expired, 1: for long, else for ever
    if (ttl < 2) {
      line.asked += ttl == 0 ? " T-1" : " T" + std::to_string(kLongTtl_s);
    }
    if (stores && stored.cas && maybe(2)) {
      line.asked += " c";
      line.returned += " c" + std::to_string(*stored.cas);
    }
    request += line.asked + "\r\n" + stored.bytes + "\r\n";
    if (!stores) {
      return say(line, refusal);
    }
    say_unless_quiet(line, "HD");
    stored.was_read = old != nullptr ? old->was_read : stored.was_read;
    if (stored.is_stale) {
      stored.expires = old->expires;  // a stale value keeps the time of the one that it renews too late
    } else if (ttl == 0) {
      values_.erase(line.key);
      return;
    } else {
      stored.expires = ttl == 1;
    }
    values_[line.key] = std::move(stored);
  }

  /// With C: right, wrong, or with I from before, which stores a stale value.
  bool compare_to_store(Line& line, const Value* old, Value& stored, std::string_view& refusal) {
    if (old != nullptr && old->cas && maybe(2)) {
      line.asked += " I C" + std::to_string(*old->cas - 1);
      stored.is_stale = true;
      stored.has_won = old->has_won;
      return true;
    }
    refusal = old == nullptr ? "NF" : "EX";
    return compare(line, old);
  }

  void concat(std::string& request) {
    const bool at_end = maybe(2);
    const std::string v = value();
    Line line = begin("ms", key(), " " + std::to_string(v.size()));
    Value* old = find(line.key);
    if (old != nullptr && old->bytes.size() + v.size() > kGrownBytesMax) {
      return get(request);
    }
    line.asked += at_end ? " MA" : " MP";
    const bool vivifies = maybe(2);
    if (vivifies) {
      line.asked += " N" + std::to_string(kLongTtl_s);
    }
    const std::optional<std::uint64_t> cas = give_cas(line);
    request += line.asked + "\r\n" + v + "\r\n";
    if (old == nullptr && !vivifies) {
      return say(line, "NS");
    }
    say_unless_quiet(line, "HD");
    if (old == nullptr) {
      values_[line.key] = {.bytes = v, .cas = cas, .expires = true};
      return;
    }
    old->bytes = at_end ? old->bytes + v : v + old->bytes;
    old->cas = cas;
    old->is_stale = old->has_won = false;
  }

  // --- md

  void remove(std::string& request) {
    Line line = begin("md", maybe(4) ? number_key() : key());
    Value* old = find(line.key);
    const bool is_wrong = maybe(4) && !compare(line, old);
    const bool marks_stale = maybe(2);
    const bool empties = maybe(4);
    line.asked += std::string(marks_stale ? " I" : "") + (empties ? " x" : "");
    const bool touches = marks_stale && maybe(2);
    if (touches) {
      line.asked += " T" + std::to_string(kLongTtl_s);
    }
    const std::optional<std::uint64_t> cas = marks_stale || empties ? give_cas(line) : std::nullopt;
    request += line.asked + "\r\n";
    if (old == nullptr || is_wrong) {
      return say(line, old == nullptr ? "NF" : "EX");
    }
    say_unless_quiet(line, "HD");
    if (!marks_stale && !empties) {
      values_.erase(line.key);
      return;
    }
    if (empties) {
      *old = {.cas = old->cas, .was_read = old->was_read};
    }
    if (marks_stale) {
      old->is_stale = true;
      old->has_won = false;
    }
    old->cas = cas || marks_stale ? cas : old->cas;
    old->expires |= touches;
  }

  // --- ma, on keys that hold numbers, or what md made of them

  void arith(std::string& request) {
    Line line = begin("ma", number_key());
    Value* old = find(line.key);
    const bool is_number = old == nullptr || !old->bytes.empty();
    const bool is_wrong = is_number && maybe(6) && !compare(line, old) && old != nullptr;
    const bool vivifies = !maybe(3);
    const std::uint64_t initial = maybe(2) ? 0 : random_() >> draw(64);
    if (vivifies) {
      line.asked += " N0" + (initial != 0 ? " J" + std::to_string(initial) : "");
    }
    const std::uint64_t delta = random_() >> draw(64);
    static constexpr std::array<const char*, 5> kModes{"", " MI", " M+", " MD", " M-"};
    const std::uint64_t mode = draw(kModes.size());
    line.asked += kModes[mode] + (" D" + std::to_string(delta));
    const std::optional<std::uint64_t> cas = give_cas(line);
    const bool wants_value = maybe(2);
    line.asked += wants_value ? " v" : "";
    if (cas && maybe(2)) {
      line.asked += " c";
      line.returned += is_number && !is_wrong && (old != nullptr || vivifies) ? " c" + std::to_string(*cas) : "";
    }
    request += line.asked + "\r\n";
    if (old == nullptr && !vivifies) {
      return say(line, "NF");
    }
    if (!is_number) {
      expected_ += "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
      return;
    }
    if (is_wrong) {
      return say(line, "EX");
    }
    const std::string number =
        std::to_string(old == nullptr ? initial : count(std::stoull(old->bytes), delta, mode > 2));
    if (!line.is_quiet) {
      say(line, wants_value ? "VA " + std::to_string(number.size()) : "HD");
      expected_ += wants_value ? number + "\r\n" : "";
    }
    if (old == nullptr) {
      values_[line.key] = {.bytes = number, .cas = cas, .was_read = std::nullopt};
      return;
    }
    if (number.size() > old->bytes.size()) {  // a new value, of which nothing was said yet
      old->is_stale = old->has_won = false;
    }
    // What is stored never gets shorter.
    old->bytes = number + std::string(old->bytes.size() - std::min(number.size(), old->bytes.size()), ' ');
    old->cas = cas;
    old->was_read.reset();
  }

  static std::uint64_t count(std::uint64_t number, std::uint64_t delta, bool is_decrement) {
    return !is_decrement ? number + delta : number > delta ? number - delta : 0;
  }

  // --- text among it

  void classic_get(std::string& request) {
    const std::string k = key();
    request += "get " + k + "\r\n";
    if (Value* value = find(k)) {
      expected_ += value_block(k, value->flags, value->bytes);
      value->was_read = true;
    }
    expected_ += "END\r\n";
  }

  std::map<std::string, Value> values_;
};

}  // namespace millrace::tests
