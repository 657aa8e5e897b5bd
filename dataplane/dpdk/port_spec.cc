#include "dataplane/dpdk/port_spec.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace millrace::dpdk {
namespace {

constexpr std::size_t kInterfaceLettersMax = 15;
constexpr std::size_t kSocketPathLettersMax = 107;

bool is_hex(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char letter) { return std::isxdigit(letter) != 0; });
}

/// "0000:03:00.0" of that or of "03:00.0"; nothing when it is no PCI address.
std::optional<std::string> pci_address(std::string_view text) {
  std::string whole(text);
  if (std::ranges::count(text, ':') == 1) {
    whole = "0000:" + whole;
  }
  if (whole.size() != 12 || whole[4] != ':' || whole[7] != ':' || whole[10] != '.' || !is_hex(whole.substr(0, 4)) ||
      !is_hex(whole.substr(5, 2)) || !is_hex(whole.substr(8, 2)) || whole[11] < '0' || whole[11] > '7') {
    return std::nullopt;
  }
  std::ranges::transform(whole, whole.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return whole;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(at); end != std::string_view::npos; end = text.find(at)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

struct Word {
  std::string_view name;
  PortKind kind;
  std::string_view target;  ///< what has to follow; empty: nothing may
};
constexpr std::array kWords = {
    Word{"memif", PortKind::Memif, "a socket's path"},
    Word{"tap", PortKind::Tap, "an interface's name"},
    Word{"af_packet", PortKind::AfPacket, "an interface's name"},
    Word{"af_xdp", PortKind::AfXdp, "an interface's name"},
    Word{"vhost", PortKind::Vhost, "a socket's path"},
    Word{"virtio-user", PortKind::VirtioUser, "a socket's path"},
    Word{"ring", PortKind::Ring, "a number"},
    Word{"null", PortKind::Null, ""},
    Word{"pcap", PortKind::Pcap, "an interface's name, or two files"},
    Word{"vdev", PortKind::Raw, "net_xxx0,key=value"},
    Word{"ethdev", PortKind::Existing, "a port's name"},
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { spec_.text = std::string(text); }

  Result<PortSpec> parse() {
    if (text_.empty()) {
      return fail("a port is missing: 0000:03:00.0, memif:PATH, tap:NAME, af_packet:IF, af_xdp:IF, ...");
    }
    const auto parts = split(text_, ',');
    if (auto address = pci_address(parts[0])) {
      spec_.kind = PortKind::Pci;
      spec_.target = *address;
      return take_rest(parts);
    }
    const std::size_t colon = parts[0].find(':');
    const std::string_view name = parts[0].substr(0, colon);
    const auto word = std::ranges::find(kWords, name, &Word::name);
    if (word == kWords.end()) {
      return refuse("it begins with no kind of port; there are PCI addresses (0000:03:00.0), " + words());
    }
    spec_.kind = word->kind;
    spec_.target = colon == std::string_view::npos ? "" : std::string(parts[0].substr(colon + 1));
    if (spec_.target.empty() != word->target.empty()) {
      return refuse(word->target.empty() ? "nothing follows \"" + std::string(name) + "\""
                                         : std::string(word->target) + " follows \"" + std::string(name) + ":\"");
    }
    return take_rest(parts);
  }

 private:
  static std::string words() {
    std::string all;
    for (const Word& word : kWords) {
      all += (all.empty() ? "" : ", ") + std::string(word.name) + (word.target.empty() ? "" : ":...");
    }
    return all;
  }
  std::unexpected<Error> refuse(const std::string& why) const { return fail("port \"" + spec_.text + "\": " + why); }

  Result<PortSpec> take_rest(const std::vector<std::string_view>& parts) {
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::string_view part = parts[i];
      const bool has_socket =
          spec_.kind == PortKind::Memif || spec_.kind == PortKind::Vhost || spec_.kind == PortKind::VirtioUser;
      if (has_socket && (part == "server" || part == "client")) {
        if (is_role_said_) {
          return refuse("server or client is said once");
        }
        is_role_said_ = true;
        spec_.is_server = part == "server";
      } else if (spec_.kind == PortKind::Pcap && i == 1 && part.find('=') == std::string_view::npos && !part.empty()) {
        spec_.second = std::string(part);
      } else if (spec_.kind == PortKind::Raw && !part.empty()) {
        add(part);  // the driver knows its words
      } else if (spec_.kind != PortKind::Existing && part.find('=') != std::string_view::npos && part.front() != '=') {
        add(part);
      } else {
        return refuse("\"" + std::string(part) + "\" is no key=value for its driver" +
                      (has_socket ? ", nor server or client" : ""));
      }
    }
    return check();
  }
  void add(std::string_view part) { spec_.arguments += (spec_.arguments.empty() ? "" : ",") + std::string(part); }

  Result<PortSpec> check() {
    switch (spec_.kind) {
      case PortKind::Tap:
      case PortKind::AfPacket:
      case PortKind::AfXdp:
        if (spec_.target.size() > kInterfaceLettersMax || spec_.target.find_first_of("/ \t") != std::string::npos) {
          return refuse("an interface's name has 1 to 15 letters, and no slash or blank");
        }
        break;
      case PortKind::Vhost:
        // The host's end makes the socket, unless told to come to one that the guest's end serves.
        spec_.is_server = is_role_said_ ? spec_.is_server : true;
        [[fallthrough]];
      case PortKind::Memif:
      case PortKind::VirtioUser:
        if (spec_.target.size() > kSocketPathLettersMax) {
          return refuse("the path of a socket has at most 107 letters");
        }
        break;
      case PortKind::Ring: {
        unsigned number = 0;
        const char* end = spec_.target.data() + spec_.target.size();
        const auto [stop, error] = std::from_chars(spec_.target.data(), end, number);
        if (error != std::errc{} || stop != end || number > 99) {
          return refuse("a number from 0 to 99 follows \"ring:\"");
        }
        break;
      }
      case PortKind::Raw:
        if (!spec_.target.starts_with("net_") && !spec_.target.starts_with("eth_")) {
          return refuse("a virtual device's name begins with net_, as in vdev:net_memif0,role=client");
        }
        break;
      default:
        break;
    }
    return std::move(spec_);
  }

  std::string_view text_;
  PortSpec spec_;
  bool is_role_said_ = false;
};

/// key=value,key=value, with what the operator said behind it: drivers take the last, or refuse to be told twice, so
/// a key that is said by the operator is not said by us.
class Arguments {
 public:
  explicit Arguments(const PortSpec& spec) : said_(spec.arguments) {}
  Arguments& add(std::string_view key, std::string_view value) {
    const std::string with_equals = std::string(key) + "=";
    if (!said_.starts_with(with_equals) && said_.find("," + with_equals) == std::string::npos) {
      append(with_equals + std::string(value));
    }
    return *this;
  }
  std::string take() {
    if (!said_.empty()) {
      append(said_);
    }
    return std::move(all_);
  }

 private:
  void append(const std::string& part) { all_ += (all_.empty() ? "" : ",") + part; }

  const std::string& said_;
  std::string all_;
};

}  // namespace

bool PortSpec::shares_memory() const noexcept {
  return kind == PortKind::Vhost || kind == PortKind::VirtioUser ||
         arguments.find("zero-copy=yes") != std::string::npos ||
         (kind == PortKind::Raw && (target.starts_with("net_vhost") || target.starts_with("net_virtio_user")));
}

Result<PortSpec> parse_port_spec(std::string_view text) { return Parser(text).parse(); }

std::vector<VirtualDevice> virtual_devices(const PortSpec& spec, std::uint32_t instance, std::uint16_t queues) {
  const auto name = [&](const char* driver) { return driver + std::to_string(instance); };
  const std::string queues_text = std::to_string(queues);
  Arguments arguments(spec);
  switch (spec.kind) {
    case PortKind::Pci:
    case PortKind::Existing:
      return {};
    case PortKind::Memif:
      arguments.add("role", spec.is_server ? "server" : "client")
          .add("id", "0")
          .add("socket", spec.target)
          .add("socket-abstract", "no")
          .add("rsize", "10");
      return {{name("net_memif"), arguments.take()}};
    case PortKind::Tap:
      return {{name("net_tap"), arguments.add("iface", spec.target).take()}};
    case PortKind::AfPacket:
      arguments.add("iface", spec.target)
          .add("qpairs", queues_text)
          .add("framesz", std::to_string(kAfPacketSlotBytes))
          .add("blocksz", std::to_string(4 * kAfPacketSlotBytes))
          .add("framecnt", "512");
      return {{name("net_af_packet"), arguments.take()}};
    case PortKind::AfXdp: {
      // One socket a device: interfaces without channels (veth) take no more, and for the others it is the same.
      std::vector<VirtualDevice> all;
      for (std::uint16_t i = 0; i < queues; ++i) {
        Arguments of_queue(spec);
        all.push_back({name("net_af_xdp") + "_" + std::to_string(i),
                       of_queue.add("iface", spec.target).add("start_queue", std::to_string(i)).take()});
      }
      return all;
    }
    case PortKind::Vhost:
      arguments.add("iface", spec.target).add("queues", queues_text).add("client", spec.is_server ? "0" : "1");
      return {{name("net_vhost"), arguments.take()}};
    case PortKind::VirtioUser:
      arguments.add("path", spec.target).add("queues", queues_text).add("queue_size", "1024");
      if (spec.is_server) {
        arguments.add("server", "1");
      }
      return {{name("net_virtio_user"), arguments.take()}};
    case PortKind::Ring:
      return {{"net_ring" + spec.target, arguments.take()}};
    case PortKind::Null:
      return {{name("net_null"), arguments.take()}};
    case PortKind::Pcap:
      if (spec.second.empty()) {
        arguments.add("iface", spec.target);
      } else {
        arguments.add("rx_pcap", spec.target).add("tx_pcap", spec.second);
      }
      return {{name("net_pcap"), arguments.take()}};
    case PortKind::Raw:
      return {{spec.target, spec.arguments}};
  }
  return {};
}

}  // namespace millrace::dpdk
