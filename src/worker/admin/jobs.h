// The administrator's commands that need every partition, one maker each. Cold. A job is owned by the worker that
// starts it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "store/types.h"
#include "worker/admin_job.h"

namespace millrace::worker {

struct Tunables;

inline constexpr std::string_view kVersionText = "1.6.45";  ///< the surface we follow; libmemcached reads it as x.y.z

std::unique_ptr<AdminJob> make_general_stats_job(std::uint32_t workers, SharedState& shared);
std::unique_ptr<AdminJob> make_workers_stats_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_hot_keys_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_items_stats_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_slabs_stats_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_sizes_stats_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_conns_stats_job(std::uint32_t workers);
std::unique_ptr<AdminJob> make_reset_job();
std::unique_ptr<AdminJob> make_detail_switch_job(bool on);
std::unique_ptr<AdminJob> make_detail_dump_job(std::uint32_t workers);
/// `limit` 0: as many as fit in kCachedumpBytesMax.
std::unique_ptr<AdminJob> make_cachedump_job(std::uint32_t workers, std::uint32_t class_id, std::uint32_t limit);
std::unique_ptr<AdminJob> make_flush_job(store::Seconds at);
std::unique_ptr<AdminJob> make_memlimit_job(std::uint32_t workers, std::uint64_t bytes, Tunables& tunables);

enum class DumpForm : std::uint8_t {
  Meta,      ///< lru_crawler metadump
  MetaGets,  ///< lru_crawler mgdump
};
/// `classes`: bit n for class n.
std::unique_ptr<AdminJob> make_dump_job(DumpForm form, std::uint64_t classes, std::uint32_t workers);
/// At most `slots` in each worker. Whoever makes it has set `is_crawling`; its end clears it.
std::unique_ptr<AdminJob> make_crawl_job(std::uint64_t classes, std::uint64_t slots, std::uint32_t workers,
                                         Tunables& tunables);
inline constexpr std::string_view kBadClasses = "BADCLASS invalid src or dst class id\r\n";
/// A page from one class to another in each worker that has one to spare; 0: any, none.
std::unique_ptr<AdminJob> make_move_page_job(std::uint32_t workers, std::uint32_t from, std::uint32_t to);
/// Says something to each worker, and OK.
std::unique_ptr<AdminJob> make_tune_job(std::function<void(Worker&)> tune);

// What a command's words come to: a job for all workers, or null when `reply` has the answer already.
std::unique_ptr<AdminJob> answer_lru_crawler(std::string_view arguments, std::uint32_t workers, SharedState& shared,
                                             AdminReply& reply);
std::unique_ptr<AdminJob> answer_slabs(std::string_view arguments, std::uint32_t workers, SharedState& shared,
                                       AdminReply& reply);
void answer_lru(std::string_view arguments, AdminReply& reply);
void answer_config(std::string_view arguments, const SharedState& shared, AdminReply& reply);

/// `stats <arguments>`, whatever protocol asks: a job for all workers, or null when `reply` has the answer already.
std::unique_ptr<AdminJob> answer_stats(std::string_view arguments, std::uint32_t workers, SharedState& shared,
                                       AdminReply& reply);

/// `stats aim`: what a client must know to send to the worker that owns a key (docs/aiming.md).
void tell_aim(std::uint16_t port, std::uint32_t workers, std::uint64_t seed, AdminReply& reply);

/// memcached's own bound on a cachedump.
inline constexpr std::size_t kCachedumpBytesMax = 2 * 1024 * 1024;

}  // namespace millrace::worker
