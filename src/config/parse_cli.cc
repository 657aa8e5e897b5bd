#include "config/parse_cli.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>

#include "config/help.h"
#include "config/option_table.h"
#include "config/validate.h"
#include "config/values.h"

namespace millrace::config {
namespace {

/// What the command line said, option by option, before any of it is read. CLI11 does what getopt would: clusters
/// (-kA), joined values (-p11211), --name=value, -- and repetitions.
using Said = std::map<std::string, std::vector<std::string>>;

struct Words {
  Said said;
  std::vector<std::string> unknown;
};

Result<Words> split(std::vector<std::string> words) {
  CLI::App app("millrace");
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::pair<const OptionRow*, CLI::Option*>> options;
  for (const OptionRow& row : option_rows()) {
    if (row.kind == OptionKind::Group) {
      continue;
    }
    // A flag counts; the others keep their words raw, for our own readers to judge.
    CLI::Option* option = row.takes_argument()
                              ? app.add_option(row.cli_name(), [](const CLI::results_t&) { return true; })
                              : app.add_flag(row.cli_name());
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (row.takes_argument()) {
      option->expected(1)->allow_extra_args(false);
    }
    options.emplace_back(&row, option);
  }
  Words out;
  const std::string last = words.empty() ? "" : words.back();
  try {
    std::ranges::reverse(words);  // as CLI11 takes them
    app.parse(words);
  } catch (const CLI::ArgumentMismatch&) {
    return fail(fmt::format("{} needs a value after it; millrace --help says which", last));
  } catch (const CLI::ParseError& error) {
    return fail(fmt::format("the command line: {}; millrace --help says more", error.what()));
  }
  for (const auto& [row, option] : options) {
    if (option->count() > 0) {
      out.said[row->id] = option->results();
    }
  }
  out.unknown = app.remaining();
  std::erase(out.unknown, "--");  // only ends the options
  return out;
}

/// "--por=1" as "--port=1" when only one option begins so, as getopt_long has it.
std::optional<std::string> completed(const std::string& word) {
  if (!word.starts_with("--") || word.size() < 4) {
    return std::nullopt;
  }
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string begin = word.substr(2, equals - 2);
  const OptionRow* found = nullptr;
  for (const OptionRow& row : option_rows()) {
    if (std::string_view(row.name).starts_with(begin)) {
      if (found != nullptr) {
        return std::nullopt;
      }
      found = &row;
    }
  }
  if (found == nullptr || begin == found->name) {
    return std::nullopt;
  }
  return fmt::format("--{}{}", found->name, word.substr(equals));
}

Result<Words> split_completing(std::vector<std::string> words) {
  while (true) {
    auto out = split(words);
    if (!out) {
      return out;
    }
    bool has_completed = false;
    for (const std::string& word : out->unknown) {
      const auto whole = completed(word);
      const auto at = std::ranges::find(words, word);
      if (whole && at != words.end()) {
        *at = *whole;
        has_completed = true;
        break;
      }
    }
    if (!has_completed) {
      return out;
    }
  }
}

Error unknown_word(const std::string& word) {
  if (word.starts_with('-') && word != "-") {
    return Error{fmt::format("there is no option {}; millrace --help lists what there is", word)};
  }
  return Error{fmt::format("'{}' belongs to no option; millrace --help lists what there is", word)};
}

Result<void> apply(const OptionRow& row, const std::vector<std::string>& values, Options& options) {
  // CLI11 lets --flag=false through; getopt would not, and ignoring the word would turn the flag on.
  if (!row.takes_argument() && std::ranges::any_of(values, [](const std::string& v) { return v != "true"; })) {
    return fail(fmt::format("{} takes no value; say it, or leave it out", row.shown_name()));
  }
  switch (row.kind) {
    case OptionKind::Switch:
      row.set_switch(options);
      return {};
    case OptionKind::Number: {
      const auto number = parse_number(row.shown_name(), values.back(), row.min, row.max, row.unit);
      if (!number) {
        return std::unexpected(number.error());
      }
      row.set_number(options, *number);
      return {};
    }
    case OptionKind::Text:
      if (values.back().empty()) {
        return fail(
            fmt::format("{}: an empty word is no {}; leave it out or name one", row.shown_name(), row.argument));
      }
      row.set_text(options, values.back());
      return {};
    case OptionKind::Special: {
      const std::string id = row.id;
      if (!row.takes_argument()) {
        return row.parse(std::to_string(values.size()), options);
      }
      // Lists of addresses, words, rules and what a card is told add up; of the others the last word counts, as with
      // getopt.
      constexpr std::string_view kAddUp[] = {"listen",   "extended", "nic",          "ip",     "gateway",
                                             "dpdk_eal", "allow",    "admin_listen", "refuse", "cluster"};
      const bool adds_up = std::ranges::find(kAddUp, id) != std::end(kAddUp);
      for (std::size_t i = adds_up ? 0 : values.size() - 1; i < values.size(); ++i) {
        if (auto parsed = row.parse(values[i], options); !parsed) {
          return parsed;
        }
      }
      return {};
    }
    case OptionKind::Noted:
      options.notes.push_back(fmt::format("{} has no effect here: {}", row.shown_name(), row.sentence));
      return {};
    case OptionKind::Refused:
      return fail(fmt::format("{}: {}", row.shown_name(), row.sentence));
    case OptionKind::Exit:
    case OptionKind::Group:
      return {};
  }
  return {};
}

}  // namespace

Result<Parsed> parse_cli(const std::vector<std::string>& words, const ProcessFacts& process) {
  auto split = split_completing(words);
  if (!split) {
    return std::unexpected(split.error());
  }
  const Said& said = split->said;
  if (said.contains("help")) {
    return ExitText{help_text()};
  }
  if (said.contains("version")) {
    return ExitText{version_text()};
  }
  if (said.contains("license")) {
    return ExitText{license_text()};
  }
  if (!split->unknown.empty()) {
    return std::unexpected(unknown_word(split->unknown.front()));
  }
  Options options;
  for (const OptionRow& row : option_rows()) {
    const auto at = said.find(row.id);
    if (at == said.end()) {
      continue;
    }
    if (auto applied = apply(row, at->second, options); !applied) {
      return std::unexpected(applied.error());
    }
  }
  if (auto valid = validate(options, process); !valid) {
    return std::unexpected(valid.error());
  }
  return options;
}

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  facts.is_root = getuid() == 0 || geteuid() == 0;
  if (const char* path = std::getenv("MEMCACHED_SASL_PWDB")) {
    facts.sasl_pwdb = path;
  }
  // The only honest question: can a socket be bound there?
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  facts.has_ipv6 = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&loopback), sizeof(loopback)) == 0;
  if (fd >= 0) {
    close(fd);
  }
  return facts;
}

namespace {

std::vector<ListenAddress> addresses_with(std::uint16_t port, const Options& options, const ProcessFacts& process) {
  std::vector<ListenAddress> wanted = options.listen;
  if (wanted.empty()) {
    wanted.push_back({.host = "127.0.0.1", .port = 0});
    if (process.has_ipv6) {
      wanted.push_back({.host = "::1", .port = 0});
    }
  }
  std::vector<ListenAddress> out;
  for (ListenAddress address : wanted) {
    address.port = address.port == 0 ? port : address.port;
    if (address.host != "*") {
      out.push_back(address);
      continue;
    }
    out.push_back({.host = "0.0.0.0", .port = address.port});
    if (process.has_ipv6) {
      out.push_back({.host = "::", .port = address.port});
    }
  }
  return out;
}

}  // namespace

std::vector<ListenAddress> listen_addresses(const Options& options, const ProcessFacts& process) {
  if (!options.unix_path.empty() || (options.tcp_port == 0 && !options.tcp_port_any)) {
    return {};
  }
  return addresses_with(options.tcp_port, options, process);
}

std::vector<ListenAddress> udp_listen_addresses(const Options& options, const ProcessFacts& process) {
  if (options.udp_port == 0) {
    return {};
  }
  return addresses_with(options.udp_port, options, process);
}

std::vector<ListenAddress> aim_listen_addresses(const Options& options, const ProcessFacts& process) {
  std::vector<ListenAddress> out;
  if (options.udp_aim_port == 0) {
    return out;
  }
  for (const ListenAddress& address : udp_listen_addresses(options, process)) {
    if (std::ranges::find(out, address.host, &ListenAddress::host) == out.end()) {
      out.push_back({.host = address.host, .port = options.udp_aim_port});
    }
  }
  return out;
}

}  // namespace millrace::config
