// A client that knows what must come back: it keeps a map of its own keys and writes, with each command, the reply that
// memcached's rules demand. Its keys are nobody else's, so the reply stream is known byte for byte.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>

namespace millrace::tests {

class ClientScript {
 public:
  virtual ~ClientScript() = default;
  /// Appends one command to `request` and its reply to expected().
  virtual void add_command(std::string& request) = 0;
  /// What was received, without what nobody can foretell.
  [[nodiscard]] virtual std::string comparable(std::string received) const { return received; }
  [[nodiscard]] const std::string& expected() const { return expected_; }

 protected:
  std::string expected_;
};

class TextScript final : public ClientScript {
 public:
  TextScript(std::uint64_t seed, std::string prefix) : random_(seed), prefix_(std::move(prefix)) {}

  void add_command(std::string& request) override {
    switch (draw(14)) {
      case 0:
      case 1:
      case 2:
        return store(request, "set");
      case 3:
        return store(request, "add");
      case 4:
        return store(request, "replace");
      case 5:
        return store(request, draw(2) == 0 ? "append" : "prepend");
      case 6:
        return remove(request);
      case 7:
        return arith(request);
      case 8:
        return bad(request);
      default:
        return get(request);
    }
  }

 private:
  struct Value {
    std::uint32_t flags = 0;
    std::string bytes;
  };

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  std::string key() { return prefix_ + std::to_string(draw(24)); }

  std::string value() {
    static constexpr std::size_t kLimits[] = {4, 64, 300, 1024, 1025, 5000, 20000, 200000};
    const std::size_t limit = kLimits[draw(draw(3) == 0 ? 8 : 5)];
    std::string bytes(draw(limit + 1), static_cast<char>('a' + draw(26)));
    for (std::size_t i = 0; i < bytes.size(); i += 1 + draw(97)) {
      bytes[i] = static_cast<char>(random_());
    }
    return draw(6) == 0 ? std::to_string(draw(1000)) : bytes;
  }

  void reply(bool noreply, const std::string& line) {
    if (!noreply) {
      expected_ += line;
    }
  }

  void store(std::string& request, const std::string& verb) {
    const std::string k = key();
    std::string v = value();
    const auto flags = static_cast<std::uint32_t>(draw(3) == 0 ? random_() : 0);
    const bool noreply = draw(4) == 0;
    request += verb + " " + k + " " + std::to_string(flags) + " 0 " + std::to_string(v.size()) +
               (noreply ? " noreply" : "") + "\r\n" + v + "\r\n";
    const auto found = values_.find(k);
    const bool exists = found != values_.end();
    const bool stores = verb == "set" || (verb == "add" ? !exists : exists);
    reply(noreply, stores ? "STORED\r\n" : "NOT_STORED\r\n");
    if (!stores) {
      return;
    }
    if (verb == "append") {
      found->second.bytes += v;
    } else if (verb == "prepend") {
      found->second.bytes = v + found->second.bytes;
    } else {
      values_[k] = {flags, std::move(v)};
      return;
    }
    if (found->second.bytes.size() > 600000) {  // stay far from the largest item
      request += "delete " + k + "\r\n";
      expected_ += "DELETED\r\n";
      values_.erase(found);
    }
  }

  void remove(std::string& request) {
    const std::string k = key();
    const bool noreply = draw(4) == 0;
    request += "delete " + k + (noreply ? " noreply\r\n" : "\r\n");
    reply(noreply, values_.erase(k) > 0 ? "DELETED\r\n" : "NOT_FOUND\r\n");
  }

  void arith(std::string& request) {
    const std::string k = key();
    const std::uint64_t delta = draw(1000);
    request += "incr " + k + " " + std::to_string(delta) + "\r\n";
    const auto found = values_.find(k);
    if (found == values_.end()) {
      expected_ += "NOT_FOUND\r\n";
      return;
    }
    std::string& bytes = found->second.bytes;
    const bool numeric =
        !bytes.empty() && bytes.size() <= 15 && bytes.find_first_not_of("0123456789") == std::string::npos;
    if (!numeric) {
      // Leave the doubtful ones to the unit tests: what begins like a number may be one, with a blank behind it.
      if (bytes.empty() || std::string_view("0123456789+- \t\n\v\f\r").find(bytes[0]) != std::string_view::npos) {
        request.resize(request.rfind("incr "));
        return;
      }
      expected_ += "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
      return;
    }
    const std::string sum = std::to_string(std::stoull(bytes) + delta);
    expected_ += sum + "\r\n";
    // The stored form keeps its length when the number got no longer.
    bytes = sum.size() >= bytes.size() ? sum : sum + std::string(bytes.size() - sum.size(), ' ');
    if (bytes.find(' ') != std::string::npos) {  // leading zeros made it shorter: do not build on it
      request += "delete " + k + "\r\n";
      expected_ += "DELETED\r\n";
      values_.erase(found);
    }
  }

  void bad(std::string& request) {
    switch (draw(3)) {
      case 0:
        request += "nonsense\r\n";
        expected_ += "ERROR\r\n";
        return;
      case 1:
        request += "version\r\n";
        expected_ += "VERSION 1.6.45\r\n";
        return;
      default:
        request += "mn\r\n";
        expected_ += "MN\r\n";
        return;
    }
  }

  void get(std::string& request) {
    request += "get";
    const std::uint64_t count = draw(5) == 0 ? 1 + draw(40) : 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string k = key();
      request += " " + k;
      if (const auto found = values_.find(k); found != values_.end()) {
        expected_ += "VALUE " + k + " " + std::to_string(found->second.flags) + " " +
                     std::to_string(found->second.bytes.size()) + "\r\n" + found->second.bytes + "\r\n";
      }
    }
    request += "\r\n";
    expected_ += "END\r\n";
  }

  std::mt19937_64 random_;
  std::string prefix_;
  std::map<std::string, Value> values_;
};

}  // namespace millrace::tests
