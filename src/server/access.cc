#include "server/access.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>

namespace millrace::server {
namespace {

using dataplane::IpBytes;
using worker::ListenerPolicy;

/// What of --refuse an option names; an error for a word that is none.
Result<worker::CommandSet> refused_by(const config::AccessRule& rule) {
  worker::CommandSet refused = 0;
  for (const std::string& word : rule.refused) {
    const auto set = worker::command_set_of(word);
    if (!set) {
      return fail(fmt::format("--refuse: '{}' is no command; those there are: {}", word, worker::command_words()));
    }
    refused |= *set;
  }
  return refused;
}

bool names(const config::AccessRule& rule, const Door& door) {
  if (rule.listener == "admin") {
    return door.is_admin;
  }
  if (rule.listener.empty()) {
    return !door.is_admin;
  }
  const bool is_v6 = door.host.find(':') != std::string::npos;
  const std::string with_port =
      is_v6 ? fmt::format("[{}]:{}", door.host, door.port) : fmt::format("{}:{}", door.host, door.port);
  return rule.listener == door.host || rule.listener == with_port;
}

void apply(const config::AccessRule& rule, worker::CommandSet refused, ListenerPolicy& policy) {
  if (!rule.allow.empty()) {
    policy.allow = rule.allow;
  }
  policy.refused |= refused;
}

IpBytes address_of(const dataplane::Endpoint& endpoint) {
  IpBytes bytes{};
  if (endpoint.address.ss_family == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(endpoint.address);
    std::memcpy(bytes.data() + 12, &v4.sin_addr, 4);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(endpoint.address);
    std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  }
  return bytes;
}

/// On the internet, or on every address there is.
bool is_public(const IpBytes& address) {
  const auto near_by = config::networks_near_by();
  return std::ranges::none_of(near_by, [&](const auto& prefix) { return prefix.contains(address); });
}

Result<void> refuse_open(const std::string& what) {
  return fail(
      fmt::format("{} can be reached by strangers, and nothing is asked of whoever connects: name the networks "
                  "of your clients (--allow 10.0.0.0/8, say), listen on a private address, or say --open if a "
                  "firewall stands before it",
                  what));
}

}  // namespace

Result<std::vector<ListenerPolicy>> policies_of(const config::Options& options, const std::vector<Door>& doors) {
  std::vector<ListenerPolicy> policies(doors.size() + 1);
  // A rule for all first, so that one that names a listener replaces its networks.
  const auto is_for_all = [](const config::AccessRule& rule) { return rule.listener.empty(); };
  std::vector<config::AccessRule> rules;
  std::ranges::copy_if(options.access, std::back_inserter(rules), is_for_all);
  std::ranges::copy_if(options.access, std::back_inserter(rules), std::not_fn(is_for_all));
  for (const config::AccessRule& rule : rules) {
    const auto refused = refused_by(rule);
    if (!refused) {
      return std::unexpected(refused.error());
    }
    bool is_known = rule.listener.empty();
    for (std::size_t i = 0; i < doors.size(); ++i) {
      if (names(rule, doors[i])) {
        apply(rule, *refused, policies[i]);
        is_known = true;
      }
    }
    if (!is_known) {
      return fail(
          fmt::format("--allow, --refuse: there is no listener {}; write an address as -l or --admin-listen has "
                      "it, or admin",
                      rule.listener));
    }
    if (rule.listener.empty()) {
      apply(rule, *refused, policies.back());
    }
  }
  if (!options.admin_listen.empty()) {
    policies.back().refused |= worker::kAdminCommands;
    for (std::size_t i = 0; i < doors.size(); ++i) {
      policies[i].refused |= doors[i].is_admin ? worker::CommandSet{0} : worker::kAdminCommands;
    }
  }
  return policies;
}

Result<void> check_open_doors(const config::Options& options, const std::vector<Door>& doors,
                              const std::vector<ListenerPolicy>& policies) {
  if (options.may_be_open || options.has_authentication()) {
    return {};
  }
  for (std::size_t i = 0; i < doors.size(); ++i) {
    if (!doors[i].endpoint.is_unix() && policies[i].allow.empty() && is_public(address_of(doors[i].endpoint))) {
      return refuse_open(fmt::format("-l {}", doors[i].endpoint.text()));
    }
  }
  for (const dataplane::InterfaceAddress& own : options.nic.addresses) {
    if (policies.back().allow.empty() && is_public(own.address)) {
      return refuse_open(fmt::format("--ip {}", own.text()));
    }
  }
  return {};
}

std::string cluster_config(const config::Options& options) {
  if (options.cluster_nodes.empty()) {
    return {};
  }
  // The version of the list; one that is named at start does not change.
  std::string list = "1\n";
  for (const std::string& node : options.cluster_nodes) {
    list += list.size() == 2 ? "" : " ";
    list += node;
  }
  list += "\n";
  return fmt::format("CONFIG cluster 0 {}\r\n{}\r\nEND\r\n", list.size(), list);
}

}  // namespace millrace::server
