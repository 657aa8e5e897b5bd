#include "base/affinity.h"

#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace millrace {

Result<void> pin_this_thread(std::uint32_t os_cpu) {
  // Room for more CPUs than the wanted one, as the kernel refuses to write its mask into a smaller one.
  const std::uint32_t cpus_max = os_cpu < 4096 ? 8192 : os_cpu * 2;
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(cpus_max), [](cpu_set_t* s) { CPU_FREE(s); });
  const std::size_t bytes = CPU_ALLOC_SIZE(cpus_max);
  CPU_ZERO_S(bytes, set.get());
  CPU_SET_S(os_cpu, bytes, set.get());
  if (sched_setaffinity(0, bytes, set.get()) != 0) {
    return fail(fmt::format("a worker could not be put on CPU {}: {}; name CPUs that this process may use with --cores",
                            os_cpu, std::strerror(errno)));
  }
  CPU_ZERO_S(bytes, set.get());
  if (sched_getaffinity(0, bytes, set.get()) != 0 || CPU_COUNT_S(bytes, set.get()) != 1 ||
      !CPU_ISSET_S(os_cpu, bytes, set.get()) || sched_getcpu() != static_cast<int>(os_cpu)) {
    return fail(fmt::format("a worker was put on CPU {} but the kernel runs it elsewhere (a cpuset changed meanwhile?)",
                            os_cpu));
  }
  return {};
}

}  // namespace millrace
