"""The host stack behind DPDK's ports, against this kernel: a TAP device of DPDK's, and a veth pair whose one end is driven through
packet sockets (af_packet) or XDP sockets (af_xdp), with one queue and with two.

    test_dpdk.py DPDK_HOST    exit status 77, with a sentence, where it takes root or a namespace and there is none

One host answers ping, ARP, UDP and refuses, and calls an echo server of the kernel's; what passed is read by tshark, which must
not find a malformed frame; packets and lent bytes are all back at the end.
"""

import array
import fcntl
import socket
import struct
import sys

from kernel_peer import EchoServer, HostProgram, KernelPeerCase, PEER4, PEER6, VETH_PROBE, give_addresses, main_of, run

DPDK_HOST = None
CALLS = 30
# af_xdp leaves the packets that lie in its rings where they are when it is closed: 2048 for receiving, a few that were sent.
XDP_RING_PACKETS = 2048 + 64
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17


def switch_checksum_offload_off(interface):
    """As `ethtool -K IF tx off`. With it on, a veth's frames travel with half a checksum, and nobody on our side knows."""
    value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP", interface.encode(), value.buffer_info()[0]))


class Host(HostProgram):
    def __init__(self, port, queues=1, mtu=1500, arguments=(), has_capture=True):
        self.queues = queues
        self.is_tap = port.startswith("tap:")
        self.interface = port.partition(":")[2] if self.is_tap else "mr_kernel"
        capture = "CAPTURE" if has_capture else "-"
        super().__init__([DPDK_HOST, port, str(queues), str(mtu), capture, *arguments])
        self.mtu = mtu

    def before(self):
        if self.is_tap:
            return
        queues = ["numrxqueues", str(self.queues), "numtxqueues", str(self.queues)]
        run("ip", "link", "add", "mr_kernel", "mtu", str(self.mtu), *queues, "type", "veth",
            "peer", "name", "mr_dpdk", "mtu", str(self.mtu), *queues)
        switch_checksum_offload_off("mr_kernel")
        with open("/proc/sys/net/ipv6/conf/mr_dpdk/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")  # else the kernel speaks on our end, too
        run("ip", "link", "set", "mr_dpdk", "up")
        run("ip", "link", "set", "mr_kernel", "up")

    def after(self):
        if self.is_tap:
            run("ip", "link", "set", self.interface, "up")
        give_addresses(self.interface)

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        if not self.is_tap:
            run("ip", "link", "del", "mr_kernel", check=False)


class DpdkTest(KernelPeerCase):
    def all_of_it(self, port, queues=1, **options):
        with EchoServer() as server:
            with Host(port, queues, arguments=["--call", str(server.port), str(CALLS), *options.pop("arguments", [])],
                      **options) as host:
                for line in host.process.stdout:
                    if line.strip() == f"called {CALLS}":
                        break
                else:
                    self.fail("it did not get its calls answered")
                self.arping(host)
                for address in (PEER4, PEER6):
                    for size in (0, 56, 1472, 1473, 8000):
                        self.ping(address, size, count=5)
                # The kernel joins IPv4's fragments for packet sockets, whose slots have 16 KiB.
                self.udp_echo(sizes=(0, 1, 511, 1472, 1473, 5000, 15000), flows=8)
                self.refused()
                self.finish(host, missing_max=XDP_RING_PACKETS * queues if port.startswith("af_xdp") else 0)
        counters = host.counters
        self.assertGreaterEqual(counters["echo_replies_sent"], 50)
        self.assertGreaterEqual(counters["arp_replies_sent"], 3)
        self.assertGreater(counters["fragments_sent"], 0)
        self.assertEqual(counters["icmp_errors_sent"], 2)
        for queue in range(queues):
            self.assertGreater(counters[f"queue_{queue}_frames"], 0, counters)
            self.assertEqual(counters[f"queue_{queue}_errors"], 0, counters)

    def test_tap(self):
        self.all_of_it("tap:mr_dtap")

    def test_tap_with_checksums_by_the_device(self):
        self.all_of_it("tap:mr_dtap", has_capture=False, arguments=["--offloads"])

    def test_af_packet(self):
        self.all_of_it("af_packet:mr_dpdk")

    def test_af_packet_with_two_queues(self):
        self.all_of_it("af_packet:mr_dpdk", queues=2)

    def test_af_packet_jumbo_frames(self):
        with Host("af_packet:mr_dpdk", mtu=9000) as host:
            for address in (PEER4, PEER6):
                self.ping(address, 8000)
                self.ping(address, 15000)
            self.finish(host)
            self.assertEqual(host.counters["queue_0_errors"], 0)

    def test_af_xdp(self):
        self.all_of_it("af_xdp:mr_dpdk")

    def test_af_xdp_with_two_queues(self):
        self.all_of_it("af_xdp:mr_dpdk", queues=2)


def take_arguments():
    global DPDK_HOST
    DPDK_HOST = sys.argv.pop(1)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, VETH_PROBE, "DPDK's packet and XDP sockets take"))
