#include "dataplane/dpdk/eal.h"

#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <utility>

#include "dataplane/dpdk/unmap_guard.h"

namespace millrace::dpdk {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

/// DPDK's log, cut into lines. Lives as long as the process: its threads may log at any time.
class LogSink {
 public:
  void set(std::function<void(bool, std::string_view)> out) {
    const std::lock_guard lock(mutex_);
    out_ = std::move(out);
  }
  FILE* open() {
    const cookie_io_functions_t functions = {
        .read = nullptr, .write = &LogSink::write, .seek = nullptr, .close = nullptr};
    FILE* stream = ::fopencookie(this, "w", functions);
    if (stream != nullptr) {
      std::setvbuf(stream, nullptr, _IOLBF, 0);
    }
    return stream;
  }
  /// The last error, for the sentence of who failed; empty: there was none since the last call.
  std::string take_last_error() {
    const std::lock_guard lock(mutex_);
    return std::exchange(last_error_, {});
  }

 private:
  static ssize_t write(void* self, const char* bytes, std::size_t size) {
    static_cast<LogSink*>(self)->take({bytes, size});
    return static_cast<ssize_t>(size);
  }
  void take(std::string_view text) {
    const std::lock_guard lock(mutex_);
    partial_ += text;
    for (std::size_t end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
      const std::string line = partial_.substr(0, end);
      partial_.erase(0, end + 1);
      if (line.empty()) {
        continue;
      }
      const int level = rte_log_cur_msg_loglevel();
      const bool is_error = level > 0 && level <= static_cast<int>(RTE_LOG_ERR);
      if (is_error) {
        last_error_ = line;
      }
      if (out_) {
        out_(is_error, line);
      } else {
        std::fprintf(stderr, "dpdk: %s\n", line.c_str());
      }
    }
  }

  std::mutex mutex_;
  std::function<void(bool, std::string_view)> out_;
  std::string partial_;
  std::string last_error_;
};

LogSink& log_sink() {
  static auto* sink = new LogSink;
  return *sink;
}

std::vector<std::uint32_t> cpus_of(const cpu_set_t& set) {
  std::vector<std::uint32_t> cpus;
  for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

/// Where this thread's new pages shall be, if there is room. Where the kernel forbids it (a container), they are near
/// the thread.
void prefer_node(std::uint32_t node) {
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  std::vector<unsigned long> mask(node / kBits + 1, 0);
  mask[node / kBits] |= 1UL << (node % kBits);
  // The kernel reads one bit fewer than it is told.
  (void)::syscall(SYS_set_mempolicy, MPOL_PREFERRED, mask.data(), mask.size() * kBits + 1);
}

std::uint64_t locked_bytes_max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

/// CAP_IPC_LOCK, as root has it.
bool may_lock_all() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  return ::syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

std::atomic<bool> has_started = false;

}  // namespace

std::optional<std::uint32_t> card_node(const std::vector<PortSpec>& ports, const std::string& sysfs) {
  for (const PortSpec& spec : ports) {
    int node = -1;
    if (spec.kind == PortKind::Pci && std::ifstream(sysfs + "/bus/pci/devices/" + spec.target + "/numa_node") >> node &&
        node >= 0) {
      return static_cast<std::uint32_t>(node);
    }
  }
  return std::nullopt;
}

std::uint64_t free_huge_page_bytes(std::optional<std::uint32_t> node, const std::string& sysfs) {
  std::uint64_t bytes = 0;
  std::error_code error;
  const std::string folder =
      node ? "/devices/system/node/node" + std::to_string(*node) + "/hugepages" : "/kernel/mm/hugepages";
  for (const auto& entry : std::filesystem::directory_iterator(sysfs + folder, error)) {
    std::uint64_t kib = 0;
    std::uint64_t pages = 0;
    if (std::sscanf(entry.path().filename().c_str(), "hugepages-%lukB", &kib) == 1) {
      std::ifstream(entry.path() / "free_hugepages") >> pages;
      bytes += kib * 1024 * pages;
    }
  }
  return bytes;
}

std::vector<std::string> eal_arguments(const EalOptions& options, const std::vector<std::uint32_t>& control_cpus,
                                       std::uint64_t free_huge_bytes, int process_id) {
  std::string cpus;
  for (const std::uint32_t cpu : control_cpus) {
    cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
  }
  // One lcore, which is the calling thread; not pinned to one CPU but to what the workers leave.
  std::vector<std::string> arguments = {"millrace", "--lcores=0@(" + cpus + ")"};
  if (options.uses_huge_pages && free_huge_bytes >= options.memory_bytes) {
    arguments.emplace_back("--in-memory");
    if (std::ranges::any_of(options.ports, &PortSpec::shares_memory)) {
      arguments.emplace_back("--single-file-segments");
    }
    if (options.has_telemetry) {
      arguments.push_back("--file-prefix=millrace_" + std::to_string(process_id));  // the folder of its socket
    }
  } else {
    // --in-memory would want huge pages. All memory is taken at once, in one piece that can be shared.
    arguments.insert(arguments.end(), {"--no-huge", "-m", std::to_string((options.memory_bytes + kMiB - 1) / kMiB),
                                       "--no-shconf", "--file-prefix=millrace_" + std::to_string(process_id)});
    if (std::ranges::any_of(options.ports, [](const PortSpec& spec) {
          return spec.shares_memory() && (spec.kind == PortKind::Memif || spec.kind == PortKind::Raw);
        })) {
      arguments.emplace_back("--single-file-segments");
    }
  }
  bool has_pci = false;
  for (const PortSpec& spec : options.ports) {
    if (spec.kind == PortKind::Pci) {
      has_pci = true;
      arguments.insert(arguments.end(), {"-a", spec.target + (spec.arguments.empty() ? "" : "," + spec.arguments)});
    }
  }
  if (!has_pci) {
    // Nobody else's cards are touched, and no physical address is needed.
    arguments.insert(arguments.end(), {"--no-pci", "--iova-mode=va"});
  }
  if (!options.has_telemetry) {
    arguments.emplace_back("--no-telemetry");
  }
  arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());
  return arguments;
}

std::optional<std::string> locked_memory_refusal(std::uint64_t bytes, std::uint64_t limit_bytes, bool may_lock_all) {
  if (may_lock_all || limit_bytes >= bytes) {
    return std::nullopt;
  }
  return "a card reaches only locked memory: its packets take " + std::to_string((bytes + kMiB - 1) / kMiB) +
         " MiB, and this process may lock " + std::to_string(limit_bytes / kMiB) +
         "; raise it (`ulimit -l unlimited`, LimitMEMLOCK=infinity), or start as root and become another user with -u";
}

std::string last_dpdk_error() { return log_sink().take_last_error(); }

Result<std::unique_ptr<Eal>> Eal::start(const EalOptions& options) {
  for (const std::string& word : options.extra) {
    if (word == "-h" || word == "--help" || word == "-v" || word == "--version") {
      return fail("DPDK: the argument " + word + " would end the process; read it with dpdk-testpmd " + word);
    }
  }
  const bool has_card = std::ranges::count(options.ports, PortKind::Pci, &PortSpec::kind) > 0;
  if (const auto refusal = locked_memory_refusal(options.memory_bytes, locked_bytes_max(), may_lock_all());
      has_card && refusal) {
    return fail("DPDK: " + *refusal);
  }
  if (has_started.exchange(true)) {
    return fail("DPDK: its environment can be started once in a process");
  }
  cpu_set_t before;
  if (::sched_getaffinity(0, sizeof before, &before) != 0) {
    return fail(std::string("DPDK: cannot tell which CPUs there are: ") + std::strerror(errno));
  }
  std::vector<std::uint32_t> control = cpus_of(before);
  std::erase_if(control, [&](std::uint32_t cpu) { return std::ranges::count(options.worker_cpus, cpu) > 0; });
  if (control.empty()) {
    control = cpus_of(before);  // each CPU is a worker's
  }
  // Pages of another node are of no use to a card's driver: it asks for rings on the card's and takes no others.
  const std::optional<std::uint32_t> node = card_node(options.ports);
  const std::uint64_t free_bytes = free_huge_page_bytes(node);
  std::vector<std::string> arguments = eal_arguments(options, control, free_bytes, ::getpid());

  // vhost and virtio-user write to sockets whose peer may be gone.
  if (struct sigaction pipe{}; ::sigaction(SIGPIPE, nullptr, &pipe) == 0 && pipe.sa_handler == SIG_DFL) {
    std::signal(SIGPIPE, SIG_IGN);
  }
  auto eal = std::unique_ptr<Eal>(new Eal);
  eal->has_huge_pages_ = std::ranges::count(arguments, "--in-memory") > 0;
  std::vector<char*> words;
  for (std::string& argument : arguments) {
    eal->command_line_ += (eal->command_line_.empty() ? "" : " ") + argument;
    words.push_back(argument.data());
  }
  words.push_back(nullptr);

  log_sink().set(options.log);
  static FILE* const stream = log_sink().open();
  if (stream != nullptr) {
    rte_openlog_stream(stream);
  }
  rte_log_set_global_level(RTE_LOG_WARNING);

  // EAL gives its own threads what the calling one has and lcores have not; when that is nothing, what lcore 0 has.
  cpu_set_t control_set;
  CPU_ZERO(&control_set);
  for (const std::uint32_t cpu : control) {
    CPU_SET(cpu, &control_set);
  }
  (void)::sched_setaffinity(0, sizeof control_set, &control_set);
  (void)log_sink().take_last_error();
  if (node && !eal->has_huge_pages_) {
    if (options.uses_huge_pages && options.log) {
      options.log(true, "node " + std::to_string(*node) + ", the card's, has " + std::to_string(free_bytes / kMiB) +
                            " MiB of free huge pages, and packets need " +
                            std::to_string((options.memory_bytes + kMiB - 1) / kMiB) + ": they lie in small pages");
    }
    prefer_node(*node);  // EAL takes and touches all memory now, and without huge pages does not choose where
  }
  guard_unmaps();
  const int parsed = rte_eal_init(static_cast<int>(words.size()) - 1, words.data());
  const int error = rte_errno;
  (void)::sched_setaffinity(0, sizeof before, &before);
  if (node && !eal->has_huge_pages_) {
    (void)::syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0);
  }
  if (parsed < 0) {
    const std::string said = log_sink().take_last_error();
    return fail("DPDK cannot start (" + eal->command_line_ + "): " + (said.empty() ? rte_strerror(error) : said));
  }
  return eal;
}

// No rte_eal_cleanup(): DPDK's interrupt thread goes on running behind it, and when a driver has just unregistered a
// descriptor (memif, whose peer left) looks through handles in memory that is unmapped by then: one end in three was a
// segmentation fault with 22.11. The end of the process gives everything back.
Eal::~Eal() = default;

EalThread::EalThread() {
  if (rte_lcore_id() != LCORE_ID_ANY) {
    is_known_ = true;  // the thread that started EAL
    return;
  }
  is_known_ = is_ours_ = rte_thread_register() == 0;
}

EalThread::~EalThread() {
  if (is_ours_) {
    rte_thread_unregister();
  }
}

}  // namespace millrace::dpdk
