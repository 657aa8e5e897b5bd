// eviction_lab: how many requests of a trace miss, in the real store and in reference models, beside Belady's bound.
//
//   eviction_lab TRACE [--share 0.01]... [--memory-mib N] [--policy NAME]... [--model NAME]... [--requests N] [--json]
//                [--page-kib N] [--growth-factor F] [--large-value-share PERCENT] [--no-moves]
//
// Sized traces: the arena is a share of the footprint, which counts key, value and 22 bytes of overhead for each key;
// a model has as many bytes and reckons each item as much, without size classes. Traces whose values are all of one
// size are counted in objects: the value is chosen so that many fill a page, the arena so that it holds the share of
// the keys, and a model holds exactly as many as the store.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "bench/eviction/model.h"
#include "bench/eviction/store_run.h"
#include "bench/load/trace.h"

namespace {

using namespace millrace;
using namespace millrace::eviction;

struct Words {
  std::string trace;
  std::vector<double> shares;
  std::uint64_t memory_mib = 0;
  std::uint64_t requests_max = ~std::uint64_t{0};
  std::uint32_t page_kib = 0;  ///< 0: the store's choice
  double growth_factor = 0;    ///< 0: the store's choice
  std::uint32_t large_value_share = store::PartitionOptions{}.large_value_share;
  bool moves_pages = true;  ///< from class to class
  std::vector<std::string> policies;
  std::vector<std::string> models;
  bool wants_json = false;
};

struct Row {
  double share = 0;
  std::uint64_t arena_bytes = 0;
  std::uint64_t capacity = 0;  ///< of the models: bytes, or items
  std::vector<std::pair<std::string, double>> store;
  std::vector<std::pair<std::string, double>> models;
  double optimal = -1;
};

template <typename Number>
bool parse(const char* text, Number& number) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  return error == std::errc{} && *end == '\0';
}

bool parse(int argc, char** argv, Words& words) {
  for (int n = 1; n < argc; ++n) {
    const std::string_view word = argv[n];
    const char* next = n + 1 < argc ? argv[n + 1] : "";
    if (word == "--json") {
      words.wants_json = true;
      continue;
    }
    if (word == "--no-moves") {
      words.moves_pages = false;
      continue;
    }
    if (!word.starts_with("--")) {
      words.trace = word;
      continue;
    }
    bool is_good = true;
    if (word == "--share") {
      is_good = parse(next, words.shares.emplace_back()) && words.shares.back() > 0;
    } else if (word == "--memory-mib") {
      is_good = parse(next, words.memory_mib);
    } else if (word == "--requests") {
      is_good = parse(next, words.requests_max);
    } else if (word == "--page-kib") {
      is_good = parse(next, words.page_kib);
    } else if (word == "--growth-factor") {
      is_good = parse(next, words.growth_factor);
    } else if (word == "--large-value-share") {
      is_good = parse(next, words.large_value_share);
    } else if (word == "--policy") {
      words.policies.emplace_back(next);
    } else if (word == "--model") {
      words.models.emplace_back(next);
    } else {
      is_good = false;
    }
    if (!is_good) {
      return false;
    }
    ++n;
  }
  return !words.trace.empty();
}

class Lab {
 public:
  Lab(const load::Trace& trace, const Words& words) : trace_(&trace), words_(&words) {
    is_sized_ = std::ranges::any_of(trace.records, [&](const load::TraceRecord& record) {
      return record.value_bytes != trace.records[0].value_bytes;
    });
    for (const load::TraceRecord& record : trace.records) {
      gets_ += record.is_set ? 0 : 1;
    }
  }

  [[nodiscard]] bool is_sized() const { return is_sized_; }

  Result<Row> measure(double share) {
    Row row;
    row.share = share;
    UnsizedShape shape;
    if (is_sized_) {
      const std::uint64_t footprint = trace_->footprint_bytes(kKeyBytes + kOverheadBytes);
      const double bytes =
          share > 0 ? share * static_cast<double>(footprint) : static_cast<double>(words_->memory_mib << 20);
      row.arena_bytes = std::max<std::uint64_t>(
          static_cast<std::uint64_t>(std::lround(bytes / kArenaStepBytes)) * kArenaStepBytes, store::kArenaBytesMin);
      row.capacity = row.arena_bytes;
    } else {
      auto made = unsized_shape(std::max<std::uint64_t>(static_cast<std::uint64_t>(share * trace_->keys), 1));
      if (!made) {
        return fail(made.error().what);
      }
      shape = *made;
      row.arena_bytes = shape.arena_bytes;
      row.capacity = shape.items;
    }
    for (const std::string& policy : words_->policies) {
      auto ratio = store_miss_ratio(policy, row.arena_bytes, shape.value_bytes);
      if (!ratio) {
        return fail(ratio.error().what);
      }
      row.store.emplace_back(policy, *ratio);
    }
    for (const std::string& name : words_->models) {
      const std::unique_ptr<Model> model = make_model(name, {row.capacity, trace_->keys});
      if (!model) {
        return fail(fmt::format("there is no model {}", name));
      }
      row.models.emplace_back(name, model_miss_ratio(*model));
    }
    if (!is_sized_) {
      row.optimal = static_cast<double>(optimal_misses(*trace_, row.capacity)) / static_cast<double>(gets_);
    }
    return row;
  }

 private:
  Result<double> store_miss_ratio(const std::string& policy, std::uint64_t arena_bytes, std::uint32_t value_bytes) {
    const auto known = policy_named(policy);
    if (!known) {
      return fail(fmt::format("the store has no policy {}", policy));
    }
    store::PartitionOptions options;
    options.policy = *known;
    // The value of an unsized trace was chosen for such pages; in smaller ones it would be several chunks.
    options.page_bytes = is_sized_ ? words_->page_kib << 10 : kArenaStepBytes;
    if (words_->growth_factor != 0) {
      options.growth_factor = words_->growth_factor;
    }
    options.large_value_share = words_->large_value_share;
    auto run = StoreRun::create(arena_bytes, options);
    if (!run) {
      return fail(run.error().what);
    }
    run->partition().set_rebalances(words_->moves_pages);
    std::uint64_t misses = 0;
    for (const load::TraceRecord& record : trace_->records) {
      misses +=
          run->replay(record.key, value_bytes != 0 ? value_bytes : record.value_bytes, record.ttl_s, record.is_set) ? 0
                                                                                                                    : 1;
    }
    return static_cast<double>(misses) / static_cast<double>(gets_);
  }

  double model_miss_ratio(Model& model) {
    std::uint64_t misses = 0;
    for (const load::TraceRecord& record : trace_->records) {
      const std::uint64_t cost = is_sized_ ? std::uint64_t{record.value_bytes} + kKeyBytes + kOverheadBytes : 1;
      const bool is_hit = !record.is_set && model.get(record.key);
      if (!is_hit) {
        misses += record.is_set ? 0 : 1;
        model.set(record.key, cost);
      }
    }
    return static_cast<double>(misses) / static_cast<double>(gets_);
  }

  const load::Trace* trace_;
  const Words* words_;
  bool is_sized_ = false;
  std::uint64_t gets_ = 0;
};

std::string as_json(const std::vector<std::pair<std::string, double>>& ratios) {
  std::string text;
  for (const auto& [name, ratio] : ratios) {
    text += fmt::format("{}\"{}\": {:.5f}", text.empty() ? "" : ", ", name, ratio);
  }
  return "{" + text + "}";
}

void print(const Words& words, const Lab& lab, const Row& row) {
  if (words.wants_json) {
    fmt::print(
        "{{\"trace\": \"{}\", \"sized\": {}, \"share\": {}, \"arena_bytes\": {}, \"capacity\": {}, \"store\": {}, "
        "\"models\": {}, \"optimal\": {}}}\n",
        words.trace, lab.is_sized(), row.share, row.arena_bytes, row.capacity, as_json(row.store), as_json(row.models),
        row.optimal < 0 ? "null" : fmt::format("{:.5f}", row.optimal));
  } else {
    fmt::print("{} share {} arena {} KiB, model {} {}\n", words.trace, row.share, row.arena_bytes >> 10, row.capacity,
               lab.is_sized() ? "bytes" : "items");
    for (const auto& [name, ratio] : row.store) {
      fmt::print("  store {:<10} {:.4f}\n", name, ratio);
    }
    for (const auto& [name, ratio] : row.models) {
      fmt::print("  model {:<10} {:.4f}\n", name, ratio);
    }
    if (row.optimal >= 0) {
      fmt::print("  optimum          {:.4f}\n", row.optimal);
    }
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Words words;
  if (!parse(argc, argv, words)) {
    fmt::print(
        stderr,
        "usage: eviction_lab TRACE [--share S]... [--memory-mib N] [--policy NAME]... [--model NAME]... "
        "[--requests N] [--page-kib N] [--growth-factor F] [--large-value-share PERCENT] [--no-moves] [--json]\n");
    return 2;
  }
  if (words.policies.empty()) {
    for (const PolicyName& known : kPolicyNames) {
      words.policies.emplace_back(known.name);
    }
  }
  if (words.models.empty()) {
    const auto names = model_names();
    words.models.assign(names.begin(), names.end());
  } else if (words.models.front() == "none") {
    words.models.clear();
  }
  if (words.shares.empty()) {
    words.shares = words.memory_mib != 0 ? std::vector{0.0} : std::vector{0.01, 0.10};
  }
  const auto trace = load::read_trace(words.trace, words.requests_max);
  if (!trace) {
    fmt::print(stderr, "eviction_lab: {}\n", trace.error().what);
    return 1;
  }
  Lab lab(*trace, words);
  for (const double share : words.shares) {
    const auto row = lab.measure(share);
    if (!row) {
      fmt::print(stderr, "eviction_lab: {}\n", row.error().what);
      return 1;
    }
    print(words, lab, *row);
  }
  return 0;
}
