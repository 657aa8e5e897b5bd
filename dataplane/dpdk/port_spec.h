// What an operator calls a port, in plain words, and what DPDK's drivers want to be told instead.
//
// Pure: strings in, strings out. Any thread.
//
//   0000:03:00.0              a PCI device (03:00.0 too), bound to vfio-pci or to its own bifurcated driver
//   memif:PATH[,server]       shared memory with another process: one serves the socket, the other (client) comes to it
//   tap:NAME                  an interface of this kernel is the peer
//   af_packet:IF  af_xdp:IF   an interface that the kernel drives
//   vhost:PATH                the host's end of a virtio queue pair; virtio-user:PATH is the guest's
//   ring:NUMBER               what is sent comes back; null: nothing comes and nothing goes
//   pcap:IF                   libpcap on an interface; pcap:FILE_IN,FILE_OUT files
//   vdev:net_xxx0,key=value   any virtual device, in the driver's own words
//   ethdev:NAME               one that is there already (made by rte_eth_from_rings(), say)
//
// Behind the first word anything of the form key=value goes to the driver as it is: memif:/run/m.sock,rsize=11
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::dpdk {

enum class PortKind : std::uint8_t {
  Pci,
  Memif,
  Tap,
  AfPacket,
  AfXdp,
  Vhost,
  VirtioUser,
  Ring,
  Null,
  Pcap,
  Raw,
  Existing,
};

struct PortSpec {
  PortKind kind = PortKind::Null;
  std::string text{};       ///< as it was given, for messages
  std::string target{};     ///< address, path, interface or name
  std::string second{};     ///< pcap: the file to write
  bool is_server = false;   ///< memif, vhost, virtio-user: makes the socket and waits there
  std::string arguments{};  ///< key=value,..., to the driver as they are

  /// Frames live in memory that the peer maps: EAL has to lay it out in few pieces.
  [[nodiscard]] bool shares_memory() const noexcept;
};

/// One ethdev to be made: its name and what comes behind the name.
struct VirtualDevice {
  std::string name;
  std::string arguments;
};

Result<PortSpec> parse_port_spec(std::string_view text);

/// Bytes of a slot of af_packet's ring. The kernel joins the fragments of IPv4 datagrams before it gives them to a
/// fanout group, whatever the MTU is, and the driver cuts what is longer than a slot.
inline constexpr std::uint16_t kAfPacketSlotBytes = 16'384;

/// What to plug for `queues` queue pairs: one device with all queues, or (af_xdp) one a queue. Empty
/// for Pci and Existing. `instance`: a number no other port of this process has, for the names.
std::vector<VirtualDevice> virtual_devices(const PortSpec& spec, std::uint32_t instance, std::uint16_t queues);

}  // namespace millrace::dpdk
