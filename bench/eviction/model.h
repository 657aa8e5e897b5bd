// Reference models of eviction: what a policy would do with plain lists, exact memory and no size classes.
//
// Single-threaded; keys are dense numbers below `keys`. A model holds items of a given cost up to a capacity in the
// same unit (bytes, or 1 for each item). They are written to be read, not to be fast, and share no code with the store.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bench/load/trace.h"

namespace millrace::eviction {

class Model {
 public:
  virtual ~Model() = default;
  /// A read: true when the item is there.
  virtual bool get(std::uint32_t key) = 0;
  /// A write: a new item, or another value of an item that is there.
  virtual void set(std::uint32_t key, std::uint64_t cost) = 0;
};

struct ModelOptions {
  std::uint64_t capacity = 0;
  std::uint32_t keys = 0;
  std::uint64_t seed = 1;
};

/// The names make_model() knows.
std::vector<std::string_view> model_names();
/// Null: no such model.
std::unique_ptr<Model> make_model(std::string_view name, const ModelOptions& options);

/// Misses of Belady's optimum, which may refuse an item, over requests of equal cost. `capacity` in items.
std::uint64_t optimal_misses(const load::Trace& trace, std::uint64_t capacity);

}  // namespace millrace::eviction
