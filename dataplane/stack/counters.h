// What a HostStack has counted since it was made. Written by its core. Drops by reason: wire/drops.def.
#pragma once

#include <cstdint>

#include "dataplane/wire/drop.h"

namespace millrace::stack {

struct StackCounters {
  wire::DropCounters drops{};
#define MR_COUNTER(name, sentence) std::uint64_t name = 0;
#include "dataplane/stack/counters.def"
#undef MR_COUNTER
};

/// Calls `visit(name, value, sentence)` for what is no drop.
template <typename Visit>
void for_each_number(const StackCounters& counters, Visit&& visit) {
#define MR_COUNTER(name, sentence) visit(std::string_view(#name), counters.name, std::string_view(sentence));
#include "dataplane/stack/counters.def"
#undef MR_COUNTER
}

/// The same for every counter, drops first.
template <typename Visit>
void for_each_counter(const StackCounters& counters, Visit&& visit) {
  for (std::size_t i = 1; i < wire::kDrops; ++i) {
    visit(wire::kDropWords[i].name, counters.drops.counts[i], wire::kDropWords[i].sentence);
  }
  for_each_number(counters, visit);
}

}  // namespace millrace::stack
