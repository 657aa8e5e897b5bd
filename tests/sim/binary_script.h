// A client of the binary protocol that knows what must come back (client_script.h); all but the cas numbers, which are
// the partitions' own.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/client_script.h"
#include "support/binary_packet.h"

namespace millrace::tests {

class BinaryScript final : public ClientScript {
 public:
  using ClientScript::ClientScript;

  void add_command(std::string& request) override {
    opaque_ = static_cast<std::uint32_t>(random_());
    switch (draw(12)) {
      case 0:
      case 1:
      case 2:
        return store(request, any(0x01, 0x11, 0x02, 0x12, 0x03, 0x13));
      case 3:
        return concat(request, any(0x0e, 0x19, 0x0f, 0x1a));
      case 4:
        return remove(request, draw(2) == 0);
      case 5:
        return arith(request, draw(2) == 0);
      case 6:
        return nothing(request);
      default:
        return get(request, any(0x00, 0x09, 0x0c, 0x0d, 0x1d, 0x1e, 0x23, 0x24, 0x1c));
    }
  }

  [[nodiscard]] std::string comparable(std::string received) const override {
    for (std::size_t at = 0; at + 24 <= received.size();) {
      received.replace(at + 16, 8, 8, '\0');
      std::size_t body = 0;
      for (std::size_t i = 8; i < 12; ++i) {
        body = body << 8U | static_cast<unsigned char>(received[at + i]);
      }
      at += 24 + body;
    }
    return received;
  }

 private:
  struct Value {
    std::uint32_t flags = 0;
    std::string bytes;
  };

  template <typename... Codes>
  unsigned any(Codes... codes) {
    const std::array<int, sizeof...(codes)> all{codes...};
    return static_cast<unsigned>(all[draw(all.size())]);
  }

  void ask(std::string& request, unsigned opcode, std::string_view key, std::string_view extras,
           std::string_view value = {}) {
    request += packet(opcode, key, extras, value, {.opaque = opaque_});
  }
  void reply(unsigned opcode, unsigned status, std::string_view body, std::string_view key = {},
             std::string_view extras = {}) {
    std::string all = packet(opcode, key, extras, body, {.opaque = opaque_, .magic = '\x81'});
    all[7] = static_cast<char>(status);
    expected_ += all;
  }

  void store(std::string& request, unsigned opcode) {
    const unsigned loud = opcode >= 0x11 ? opcode - 0x10 : opcode;
    const std::string k = key();
    std::string v = value();
    const std::uint32_t f = flags();
    ask(request, opcode, k, big32(f) + big32(0), v);
    const bool exists = values_.contains(k);
    if (loud == 0x02 && exists) {
      return reply(opcode, 0x02, "Data exists for key.");
    }
    if (loud == 0x03 && !exists) {
      return reply(opcode, 0x01, "Not found");
    }
    values_[k] = {f, std::move(v)};
    done(opcode, loud);
  }

  void concat(std::string& request, unsigned opcode) {
    const unsigned loud = opcode >= 0x19 ? opcode - 0x0b : opcode;
    const std::string k = key();
    const std::string v = value();
    const auto found = values_.find(k);
    if (found != values_.end() && found->second.bytes.size() + v.size() > kGrownBytesMax) {
      return remove(request, false);
    }
    ask(request, opcode, k, {}, v);
    if (found == values_.end()) {
      return reply(opcode, 0x05, "Not stored.");
    }
    found->second.bytes = loud == 0x0e ? found->second.bytes + v : v + found->second.bytes;
    done(opcode, loud);
  }

  void done(unsigned opcode, unsigned loud) {
    if (opcode == loud) {
      reply(opcode, 0, {});
    }
  }

  void remove(std::string& request, bool quiet) {
    const std::string k = key();
    const unsigned opcode = quiet ? 0x14 : 0x04;
    ask(request, opcode, k, {});
    if (values_.erase(k) == 0) {
      reply(opcode, 0x01, "Not found");
    } else {
      done(opcode, 0x04);
    }
  }

  void arith(std::string& request, bool quiet) {
    const std::string k = number_key();
    const std::uint64_t delta = draw(1000);
    const bool creates = draw(2) == 0;
    const unsigned opcode = quiet ? 0x15 : 0x05;
    ask(request, opcode, k, big64(delta) + big64(7) + big32(creates ? 0 : 0xffffffff));
    const auto found = numbers_.find(k);
    if (found == numbers_.end() && !creates) {
      return reply(opcode, 0x01, "Not found");
    }
    std::uint64_t& number = numbers_[k];
    number = found == numbers_.end() ? 7 : number + delta;
    if (!quiet) {
      reply(opcode, 0, big64(number));
    }
  }

  void nothing(std::string& request) {
    switch (draw(3)) {
      case 0:
        ask(request, 0x0a, {}, {});
        return reply(0x0a, 0, {});
      case 1:
        ask(request, 0x0b, {}, {});
        return reply(0x0b, 0, "1.6.45");
      default:
        ask(request, 0xf1, "key", "extras", value());
        return reply(0xf1, 0x81, "Unknown command");
    }
  }

  void get(std::string& request, unsigned opcode) {
    const bool touches = opcode >= 0x1c;
    const bool quiet = opcode == 0x09 || opcode == 0x0d || opcode == 0x1e || opcode == 0x24;
    const bool tells_key = opcode == 0x0c || opcode == 0x0d || opcode == 0x23 || opcode == 0x24;
    const std::string k = key();
    ask(request, opcode, k, touches ? big32(0) : std::string());
    const auto found = values_.find(k);
    if (found == values_.end()) {
      if (!quiet) {
        reply(opcode, 0x01, tells_key ? "" : "Not found", tells_key ? k : "");
      }
      return;
    }
    reply(opcode, 0, opcode == 0x1c ? "" : found->second.bytes, tells_key ? k : "", big32(found->second.flags));
  }

  std::uint32_t opaque_ = 0;
  std::map<std::string, Value> values_;
  std::map<std::string, std::uint64_t> numbers_;
};

}  // namespace millrace::tests
