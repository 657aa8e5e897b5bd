// A client of the classic text commands that knows what must come back (client_script.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "sim/client_script.h"

namespace millrace::tests {

class TextScript final : public ClientScript {
 public:
  using ClientScript::ClientScript;

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

  /// Now and then a number.
  std::string word() { return maybe(6) ? std::to_string(draw(1000)) : value(); }

  void reply(bool noreply, const std::string& line) {
    if (!noreply) {
      expected_ += line;
    }
  }

  void store(std::string& request, const std::string& verb) {
    const std::string k = key();
    std::string v = word();
    const std::uint32_t f = flags();
    const bool noreply = draw(4) == 0;
    request += verb + " " + k + " " + std::to_string(f) + " 0 " + std::to_string(v.size()) +
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
      values_[k] = {f, std::move(v)};
      return;
    }
    if (found->second.bytes.size() > kGrownBytesMax) {
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
        expected_ += value_block(k, found->second.flags, found->second.bytes);
      }
    }
    request += "\r\n";
    expected_ += "END\r\n";
  }

  std::map<std::string, Value> values_;
};

}  // namespace millrace::tests
