// Memory of ours that devices may read. Apart from the rest because DPDK 22.11 still calls its functions experimental.
#define ALLOW_EXPERIMENTAL_API
#include <rte_dev.h>
#include <rte_memory.h>

#include "dataplane/dpdk/device_parts.h"

namespace millrace::dpdk {

Result<void> Device::register_memory(std::span<std::byte> bytes, std::size_t page_bytes) {
  const auto name = "port " + spec_.text + ": ";
  if (rte_extmem_register(bytes.data(), bytes.size(), nullptr, 0, page_bytes) != 0 && rte_errno != EEXIST) {
    return fail(name + "DPDK does not take memory for devices to read: " + reason(rte_errno));
  }
  for (auto& ethdev : ethdevs_) {
    if (ethdev->is_virtual) {
      continue;  // its driver reads with the CPU
    }
    const auto address = reinterpret_cast<std::uint64_t>(bytes.data());
    if (rte_dev_dma_map(ethdev->device_handle, bytes.data(), address, bytes.size()) != 0 && rte_errno != ENOTSUP) {
      const std::string why = reason(rte_errno);
      (void)rte_extmem_unregister(bytes.data(), bytes.size());
      return fail(name + "the device cannot be let into that memory: " + why);
    }
  }
  regions_.push_back(bytes);
  return {};
}

Result<void> Device::unregister_memory(std::span<std::byte> bytes) {
  const auto region =
      std::ranges::find_if(regions_, [&](std::span<std::byte> one) { return one.data() == bytes.data(); });
  if (region == regions_.end()) {
    return fail("port " + spec_.text + ": that memory was not registered");
  }
  for (auto& ethdev : ethdevs_) {
    if (!ethdev->is_virtual) {
      (void)rte_dev_dma_unmap(ethdev->device_handle, bytes.data(), reinterpret_cast<std::uint64_t>(bytes.data()),
                              bytes.size());
    }
  }
  regions_.erase(region);
  if (rte_extmem_unregister(bytes.data(), bytes.size()) != 0) {
    return fail("port " + spec_.text + ": DPDK keeps that memory: " + reason(rte_errno));
  }
  return {};
}

}  // namespace millrace::dpdk
