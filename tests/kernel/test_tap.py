"""The host stack against this kernel's, over a TAP device in a network namespace of its own.

    test_tap.py TAP_HOST      exit status 77, with a sentence, where namespaces or TAP devices are not to be had

Ping, fragments, UDP both ways, ARP and refused ports are judged by the kernel and its tools; everything that passed is then
read by tshark, which must not find a malformed frame or a wrong checksum in it.
"""

import sys

from kernel_peer import EchoServer, HostProgram, KernelPeerCase, PEER4, PEER6, TAP_PROBE, give_addresses, main_of, run

TAP_HOST = None
INTERFACE = "mrtap"


class Host(HostProgram):
    def __init__(self, mtu=1500, arguments=(), vlan=None):
        self.mtu, self.vlan = mtu, vlan
        super().__init__([TAP_HOST, INTERFACE, str(mtu), "CAPTURE", *arguments, *(["--vlan", str(vlan)] if vlan else [])])

    def after(self):
        # A VLAN's frames are 4 bytes longer, and its device takes its MTU from the one below.
        run("ip", "link", "set", INTERFACE, "mtu", str(self.mtu), "up")
        self.interface = INTERFACE
        if self.vlan:
            self.interface = f"{INTERFACE}.{self.vlan}"
            run("ip", "link", "add", "link", INTERFACE, "name", self.interface, "type", "vlan", "id", str(self.vlan))
            run("ip", "link", "set", self.interface, "up")
        give_addresses(self.interface)


class TapTest(KernelPeerCase):
    def test_ping(self):
        with Host() as host:
            for address in (PEER4, PEER6):
                for size in (0, 56, 1452, 1472, 1473, 8000, 40000):
                    self.ping(address, size)
            self.finish(host)
            self.assertGreaterEqual(host.counters["echo_replies_sent"], 140)
            self.assertGreater(host.counters["fragments_sent"], 0)

    def test_jumbo_frames(self):
        with Host(mtu=9000) as host:
            for address in (PEER4, PEER6):
                self.ping(address, 8000)
                self.ping(address, 8972)
                self.ping(address, 20000)
            self.finish(host)

    def test_vlan(self):
        probe = run("ip", "link", "add", "link", "lo", "name", "probe.1", "type", "vlan", "id", "1", check=False)
        if "Unknown device type" in probe:
            self.skipTest("this kernel has no VLAN devices")
        with Host(vlan=42) as host:
            self.ping(PEER4, 56)
            self.ping(PEER6, 3000)
            self.finish(host)

    def test_arping(self):
        with Host() as host:
            self.assertIn("02:09:00:00:00:02", self.arping(host))
            self.ping(PEER4, 56)
            self.finish(host)
            self.assertGreaterEqual(host.counters["arp_replies_sent"], 3)

    def test_udp_echo(self):
        with Host() as host:
            self.udp_echo()
            self.finish(host)
            self.assertEqual(host.counters["datagrams_received"], 18)

    def test_udp_calls_the_kernel(self):
        with EchoServer() as server, Host(arguments=["--call", str(server.port), "60"]) as host:
            self.assertEqual(host.process.stdout.readline().strip(), "called 60")
            self.finish(host)
            self.assertGreaterEqual(host.counters["datagrams_sent"], 60)

    def test_closed_port_is_refused(self):
        with Host() as host:
            self.refused()
            self.ping(PEER4, 56)
            self.finish(host)
            self.assertEqual(host.counters["icmp_errors_sent"], 2)


def take_arguments():
    global TAP_HOST
    TAP_HOST = sys.argv.pop(1)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, TAP_PROBE))
