"""The host stack against this kernel's, over a TAP device in a network namespace of its own.

    test_tap.py TAP_HOST      exit status 77, with a sentence, where namespaces or TAP devices are not to be had

Ping, fragments, UDP both ways, ARP and refused ports are judged by the kernel and its tools; everything that passed is then
read by tshark, which must not find a malformed frame or a wrong checksum in it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

TAP_HOST = None
INTERFACE = "mrtap"
PEER4, PEER6 = "10.9.0.2", "fd00:9::2"


def run(*command, check=True, timeout=60):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Host:
    """One tap_host, the kernel's end beside it configured, until the `with` ends."""

    def __init__(self, mtu=1500, arguments=(), vlan=None):
        self.mtu, self.arguments, self.vlan = mtu, list(arguments), vlan
        self.counters = {}

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.capture = os.path.join(self.folder.name, "capture.pcapng")
        arguments = [TAP_HOST, INTERFACE, str(self.mtu), self.capture] + self.arguments
        if self.vlan:
            arguments += ["--vlan", str(self.vlan)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().strip()
        if first != "ready":
            raise AssertionError(first)
        # A VLAN's frames are 4 bytes longer, and its device takes its MTU from the one below.
        run("ip", "link", "set", INTERFACE, "mtu", str(self.mtu), "up")
        self.interface = INTERFACE
        if self.vlan:
            self.interface = f"{INTERFACE}.{self.vlan}"
            run("ip", "link", "add", "link", INTERFACE, "name", self.interface, "type", "vlan", "id", str(self.vlan))
            run("ip", "link", "set", self.interface, "up")
        run("ip", "addr", "add", "10.9.0.1/24", "dev", self.interface)
        run("ip", "addr", "add", "fd00:9::1/64", "dev", self.interface, "nodad")
        return self

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        for line in self.process.stdout.read().split("\n"):
            name, _, value = line.partition(" ")
            if value.isdigit():
                self.counters[name] = int(value)
        self.status = self.process.wait(timeout=10)
        self.process.stdout.close()

    def __exit__(self, kind, value, trace):
        self.stop()
        self.folder.cleanup()


def tshark(path, *arguments):
    checks = [word for name in ("ip", "udp", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    return run("tshark", "-r", path, *checks, *arguments).split("\n")


class TapTest(unittest.TestCase):
    def finish(self, host):
        """Ends it; nothing leaked; every frame is sound in tshark's eyes."""
        host.stop()
        self.assertEqual(host.status, 0)
        self.assertEqual(host.counters["free_buffers"], 1024)
        for name in host.counters:
            self.assertNotRegex(name, "checksum|malformed|length|overlap")
        if shutil.which("tshark") is None:
            print("tshark is not installed: the capture was not looked at", file=sys.stderr)
            return
        shown = [line for line in tshark(host.capture, "-T", "fields", "-e", "frame.number") if line.strip().isdigit()]
        self.assertGreater(len(shown), 10)
        bad = tshark(host.capture, "-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                     "icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        self.assertEqual([line for line in bad if re.match(r"\s*\d+ ", line)], [])

    def ping(self, address, size, count=10):
        text = run("ping", "-n", "-c", str(count), "-i", "0.02", "-W", "2", "-s", str(size), address, check=False)
        self.assertIn(" 0% packet loss", text, text)

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
            text = run("arping", "-c", "3", "-w", "5", "-I", host.interface, PEER4, check=False)
            self.assertRegex(text, "Received 3 response", text)
            self.assertIn("02:09:00:00:00:02", text.lower())
            self.ping(PEER4, 56)
            self.finish(host)
            self.assertGreaterEqual(host.counters["arp_replies_sent"], 3)

    def test_udp_echo(self):
        with Host() as host:
            for family, address in ((socket.AF_INET, PEER4), (socket.AF_INET6, PEER6)):
                with socket.socket(family, socket.SOCK_DGRAM) as client:
                    client.settimeout(5)
                    client.connect((address, 7))
                    for size in (0, 1, 17, 511, 1452, 1472, 1473, 5000, 30000):
                        sent = os.urandom(size)
                        client.send(sent)
                        self.assertEqual(client.recv(65536), sent)
            self.finish(host)
            self.assertEqual(host.counters["datagrams_received"], 18)

    def test_udp_calls_the_kernel(self):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
            server.bind(("::", 0))  # both families
            server.settimeout(0.1)
            is_over = threading.Event()

            def echo():
                while not is_over.is_set():
                    try:
                        bytes_, peer = server.recvfrom(65536)
                        server.sendto(bytes_, peer)
                    except OSError:
                        pass

            thread = threading.Thread(target=echo)
            thread.start()
            try:
                with Host(arguments=["--call", str(server.getsockname()[1]), "60"]) as host:
                    self.assertEqual(host.process.stdout.readline().strip(), "called 60")
                    self.finish(host)
                    self.assertGreaterEqual(host.counters["datagrams_sent"], 60)
            finally:
                is_over.set()
                thread.join()

    def test_closed_port_is_refused(self):
        with Host() as host:
            for family, address in ((socket.AF_INET, PEER4), (socket.AF_INET6, PEER6)):
                with socket.socket(family, socket.SOCK_DGRAM) as client:
                    client.settimeout(5)
                    client.connect((address, 9))
                    client.send(b"anybody?")
                    with self.assertRaises(ConnectionRefusedError):
                        client.recv(100)
            self.ping(PEER4, 56)
            self.finish(host)
            self.assertEqual(host.counters["icmp_errors_sent"], 2)


def main():
    global TAP_HOST
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        TAP_HOST = sys.argv.pop(1)
        run("ip", "link", "set", "lo", "up")
        unittest.main(verbosity=2)
    for tool in ("unshare", "ip", "ping", "arping"):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool}")
            return 77
    if not os.path.exists("/dev/net/tun"):
        print("skipped: there is no /dev/net/tun")
        return 77
    inside = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    probe = subprocess.run(inside + ["ip", "tuntap", "add", "dev", INTERFACE, "mode", "tap"], capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"skipped: a network namespace with a TAP device is not permitted: {probe.stderr.strip()}")
        return 77
    return subprocess.run(inside + [sys.executable, __file__, "--inside"] + sys.argv[1:], timeout=250).returncode


if __name__ == "__main__":
    sys.exit(main())
