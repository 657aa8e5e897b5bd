#include "bench/eviction/model.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "bench/eviction/key_list.h"
#include "bench/load/prng.h"

namespace millrace::eviction {
namespace {

/// What all models have: who is there at what cost. A policy says who goes, and what a hit and a new item change.
class Cache : public Model {
 public:
  explicit Cache(const ModelOptions& options) : capacity_(options.capacity), cost_(options.keys, 0) {}

  bool get(std::uint32_t key) override {
    if (cost_[key] == 0) {
      return false;
    }
    hit(key);
    return true;
  }
  void set(std::uint32_t key, std::uint64_t cost) override {
    if (cost_[key] != 0) {
      used_ += cost - cost_[key];
      cost_[key] = cost;
      written(key);
    } else if (cost <= capacity_) {
      make_room(cost);
      cost_[key] = cost;
      used_ += cost;
      enter(key);
    }
    make_room(0);
  }

 protected:
  virtual void hit(std::uint32_t key) = 0;
  virtual void written(std::uint32_t key) { static_cast<void>(key); }
  virtual void enter(std::uint32_t key) = 0;
  /// Takes one item out of the policy's lists.
  virtual std::uint32_t choose() = 0;

  [[nodiscard]] std::uint64_t cost(std::uint32_t key) const { return cost_[key]; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }

 private:
  void make_room(std::uint64_t cost) {
    while (used_ + cost > capacity_ && used_ != 0) {
      const std::uint32_t key = choose();
      used_ -= cost_[key];
      cost_[key] = 0;
    }
  }

  std::uint64_t capacity_;
  std::uint64_t used_ = 0;
  std::vector<std::uint64_t> cost_;
};

class Recency : public Cache {
 public:
  Recency(const ModelOptions& options, bool takes_newest)
      : Cache(options), list_(options.keys), takes_newest_(takes_newest) {}

 protected:
  void hit(std::uint32_t key) override {
    list_.remove(key);
    list_.push_newest(key);
  }
  void written(std::uint32_t key) override { hit(key); }
  void enter(std::uint32_t key) override { list_.push_newest(key); }
  std::uint32_t choose() override {
    const std::uint32_t key = takes_newest_ ? list_.newest() : list_.oldest();
    list_.remove(key);
    return key;
  }

 private:
  KeyList list_;
  bool takes_newest_;
};

/// CLOCK with 2-bit counts, as a queue with reinsertion.
class Clock2 : public Cache {
 public:
  explicit Clock2(const ModelOptions& options) : Cache(options), queue_(options.keys), count_(options.keys) {}

 protected:
  void hit(std::uint32_t key) override { count_[key] = static_cast<std::uint8_t>(std::min(count_[key] + 1, 3)); }
  void enter(std::uint32_t key) override {
    count_[key] = 0;
    queue_.push_newest(key);
  }
  std::uint32_t choose() override {
    while (true) {
      const std::uint32_t key = queue_.oldest();
      queue_.remove(key);
      if (count_[key] == 0) {
        return key;
      }
      --count_[key];
      queue_.push_newest(key);
    }
  }

 private:
  KeyList queue_;
  std::vector<std::uint8_t> count_;
};

/// S3-FIFO (Yang et al., SOSP 2023): a tenth is probation, a ghost as large as the rest, promoted at any re-hit.
class S3Fifo : public Cache {
 public:
  explicit S3Fifo(const ModelOptions& options)
      : Cache(options),
        probation_(options.keys),
        main_(options.keys),
        ghost_(options.keys),
        count_(options.keys),
        in_probation_(options.keys),
        ghost_cost_(options.keys) {}

 protected:
  void hit(std::uint32_t key) override { count_[key] = static_cast<std::uint8_t>(std::min(count_[key] + 1, 3)); }
  void enter(std::uint32_t key) override {
    count_[key] = 0;
    if (ghost_cost_[key] != 0) {
      forget(key);
      in_probation_[key] = false;
      main_.push_newest(key);
    } else {
      in_probation_[key] = true;
      probation_used_ += cost(key);
      probation_.push_newest(key);
    }
  }
  std::uint32_t choose() override {
    while (true) {
      if (probation_used_ > capacity() / 10 || main_.oldest() == kNoKey) {
        const std::uint32_t key = probation_.oldest();
        probation_.remove(key);
        probation_used_ -= cost(key);
        in_probation_[key] = false;
        if (count_[key] == 0) {
          remember(key);
          return key;
        }
        count_[key] = 0;
        main_.push_newest(key);
        continue;
      }
      const std::uint32_t key = main_.oldest();
      main_.remove(key);
      if (count_[key] == 0) {
        return key;
      }
      --count_[key];
      main_.push_newest(key);
    }
  }

 private:
  void remember(std::uint32_t key) {
    ghost_cost_[key] = cost(key);
    ghost_used_ += cost(key);
    ghost_.push_newest(key);
    while (ghost_used_ > capacity() * 9 / 10) {
      forget(ghost_.oldest());
    }
  }
  void forget(std::uint32_t key) {
    ghost_.remove(key);
    ghost_used_ -= ghost_cost_[key];
    ghost_cost_[key] = 0;
  }

  KeyList probation_;
  KeyList main_;
  KeyList ghost_;
  std::vector<std::uint8_t> count_;
  std::vector<bool> in_probation_;
  std::vector<std::uint64_t> ghost_cost_;
  std::uint64_t probation_used_ = 0;
  std::uint64_t ghost_used_ = 0;
};

/// Takes what has the lowest worth. LFU: hits while it was there. GDSF (Cherkasova 1998): hits by byte, and it ages.
class Ranked : public Cache {
 public:
  Ranked(const ModelOptions& options, bool is_size_aware)
      : Cache(options), is_size_aware_(is_size_aware), worth_(options.keys), hits_(options.keys), at_(options.keys) {}

 protected:
  void hit(std::uint32_t key) override {
    order_.erase({worth_[key], at_[key], key});
    ++hits_[key];
    rank(key);
  }
  void enter(std::uint32_t key) override {
    hits_[key] = 1;
    rank(key);
  }
  std::uint32_t choose() override {
    const auto [worth, at, key] = *order_.begin();
    order_.erase(order_.begin());
    age_ = worth;
    return key;
  }

 private:
  void rank(std::uint32_t key) {
    const auto hits = static_cast<double>(hits_[key]);
    worth_[key] = is_size_aware_ ? age_ + hits / static_cast<double>(cost(key)) : hits;
    at_[key] = ++serial_;
    order_.insert({worth_[key], at_[key], key});
  }

  bool is_size_aware_;
  double age_ = 0;
  std::uint64_t serial_ = 0;
  std::vector<double> worth_;
  std::vector<std::uint64_t> hits_;
  std::vector<std::uint64_t> at_;
  std::set<std::tuple<double, std::uint64_t, std::uint32_t>> order_;
};

class Random : public Cache {
 public:
  explicit Random(const ModelOptions& options) : Cache(options), prng_(options.seed) {}

 protected:
  void hit(std::uint32_t key) override { static_cast<void>(key); }
  void enter(std::uint32_t key) override { held_.push_back(key); }
  std::uint32_t choose() override {
    std::swap(held_[prng_.below(held_.size())], held_.back());
    const std::uint32_t key = held_.back();
    held_.pop_back();
    return key;
  }

 private:
  load::Prng prng_;
  std::vector<std::uint32_t> held_;
};

constexpr std::array<std::string_view, 7> kNames{"lru", "clock2", "s3fifo", "lfu", "gdsf", "random", "mru"};

}  // namespace

std::vector<std::string_view> model_names() { return {kNames.begin(), kNames.end()}; }

std::unique_ptr<Model> make_model(std::string_view name, const ModelOptions& options) {
  if (name == "lru" || name == "mru") {
    return std::make_unique<Recency>(options, name == "mru");
  }
  if (name == "clock2") {
    return std::make_unique<Clock2>(options);
  }
  if (name == "s3fifo") {
    return std::make_unique<S3Fifo>(options);
  }
  if (name == "lfu" || name == "gdsf") {
    return std::make_unique<Ranked>(options, name == "gdsf");
  }
  return name == "random" ? std::make_unique<Random>(options) : nullptr;
}

std::uint64_t optimal_misses(const load::Trace& trace, std::uint64_t capacity) {
  const std::size_t records = trace.records.size();
  std::vector<std::uint64_t> next_use(records);
  std::vector<std::uint64_t> last_seen(trace.keys, ~std::uint64_t{0});
  for (std::size_t n = records; n-- > 0;) {
    next_use[n] = last_seen[trace.records[n].key];
    last_seen[trace.records[n].key] = n;
  }
  std::set<std::pair<std::uint64_t, std::uint32_t>> held;  // by when each is asked for next
  std::vector<std::uint64_t> held_until(trace.keys, 0);    // that next use; 0: not there (nothing is first asked again)
  std::uint64_t misses = 0;
  for (std::size_t n = 0; n < records; ++n) {
    const load::TraceRecord& record = trace.records[n];
    if (held_until[record.key] != 0) {
      held.erase({held_until[record.key], record.key});
    } else if (!record.is_set) {
      ++misses;
    }
    held_until[record.key] = next_use[n];
    held.insert({next_use[n], record.key});
    if (held.size() > capacity) {  // the one asked for last of all goes, be it the new one
      held_until[held.rbegin()->second] = 0;
      held.erase(std::prev(held.end()));
    }
  }
  return misses;
}

}  // namespace millrace::eviction
