// --allow, --refuse, --admin-listen, --cluster: who may connect where, what he may ask there, and what he is told of
// other nodes. Pure. What a rule's command words mean is the worker's; which listener a rule names is found when the
// doors are opened (server/access.cc).

#include <fmt/format.h>

#include "config/values.h"

namespace millrace::config {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

/// `[LISTENER=]WORD,...`: the rule for that listener, an earlier one's if there was one.
AccessRule& rule_of(const std::string& text, std::string& words, Options& options) {
  const std::size_t equals = text.find('=');
  const std::string listener = equals == std::string::npos ? "" : text.substr(0, equals);
  words = equals == std::string::npos ? text : text.substr(equals + 1);
  for (AccessRule& rule : options.access) {
    if (rule.listener == listener) {
      return rule;
    }
  }
  options.access.push_back({.listener = listener});
  return options.access.back();
}

}  // namespace

Result<void> parse_allow(const std::string& text, Options& options) {
  std::string words;
  AccessRule& rule = rule_of(text, words, options);
  for (const std::string& word : split(words, ',')) {
    auto prefix = dataplane::IpPrefix::parse(word);
    if (!prefix) {
      return fail(
          fmt::format("--allow {}: {}; separate networks with commas, and put LISTENER= before them to name one "
                      "address of -l",
                      text, prefix.error().what));
    }
    rule.allow.push_back(*prefix);
  }
  return {};
}

Result<void> parse_refuse(const std::string& text, Options& options) {
  std::string words;
  AccessRule& rule = rule_of(text, words, options);
  for (const std::string& word : split(words, ',')) {
    if (word.empty()) {
      return fail(fmt::format("--refuse {}: a command is empty; separate commands with single commas", text));
    }
    rule.refused.push_back(word);
  }
  return {};
}

Result<void> parse_admin_listen(const std::string& text, Options& options) {
  auto addresses = parse_listen_list(text);
  if (!addresses) {
    return fail("--admin-listen: " + addresses.error().what);
  }
  for (const ListenAddress& address : *addresses) {
    if (address.port == 0) {
      return fail(fmt::format("--admin-listen {}: administrators need a port of their own; write {}:11212, say", text,
                              address.host));
    }
    options.admin_listen.push_back(address);
  }
  return {};
}

/// HOST:PORT or HOST|ADDRESS|PORT, as ElastiCache's clients read it.
Result<void> parse_cluster(const std::string& text, Options& options) {
  for (const std::string& node : split(text, ',')) {
    std::vector<std::string> parts = split(node, '|');
    if (parts.size() == 1) {
      const std::size_t colon = node.rfind(':');
      const std::string host = node.substr(0, colon);
      parts = {host, host, colon == std::string::npos ? "" : node.substr(colon + 1)};
    }
    const bool is_whole = parts.size() == 3 && !parts[0].empty() && node.find_first_of(" \r\n\t") == std::string::npos;
    if (!is_whole || !parse_number("", parts[2], 1, 65'535, "port")) {
      return fail(
          fmt::format("--cluster: '{}' is no node; write cache1.example:11211 or cache1.example|10.0.0.1|11211, "
                      "with commas between",
                      node));
    }
    options.cluster_nodes.push_back(fmt::format("{}|{}|{}", parts[0], parts[1], parts[2]));
  }
  return {};
}

}  // namespace millrace::config
