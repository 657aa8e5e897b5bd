"""What the tests of our stack against this kernel's share: the host program, tshark, and what to ask of a host.

Each test program runs itself again inside a network namespace (run_inside); there the kernel's end of the wire has 10.9.0.1 and
fd00:9::1, and the host under test 10.9.0.2 and fd00:9::2.
"""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

PEER4, PEER6 = "10.9.0.2", "fd00:9::2"


def run(*command, check=True, timeout=60):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def give_addresses(interface):
    run("ip", "addr", "add", "10.9.0.1/24", "dev", interface)
    run("ip", "addr", "add", "fd00:9::1/64", "dev", interface, "nodad")


def ping(case, address, size, count):
    """`count` questions and more are answered, each of them, however late: with -w, ping asks on until it has as many answers;
    without, it waits for the last ones no longer than two of its round trips, while the core may be somebody else's."""
    text = run("ping", "-n", "-c", str(count), "-i", "0.02", "-w", "10", "-s", str(size), address, check=False)
    answered = [int(n) for n in re.findall(r"icmp_seq=(\d+)", text)]
    case.assertGreaterEqual(len(answered), count, text)
    case.assertEqual(answered, list(range(1, len(answered) + 1)), text)


class HostProgram:
    """One host, until the `with` ends. `interface` is the kernel's end; subclasses make it before or after the start."""

    interface = None

    def __init__(self, arguments):
        self.folder = tempfile.TemporaryDirectory()
        self.arguments = [self.folder.name if word == "CAPTURE" else word for word in arguments]
        self.counters = {}
        self.status = None

    def before(self):
        pass

    def after(self):
        pass

    def __enter__(self):
        self.before()
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seen = []
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            self.seen.append(line)  # libraries print too
        else:
            raise AssertionError("".join(self.seen))
        self.after()
        return self

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        for line in self.process.stdout.read().split("\n"):
            name, _, value = line.partition(" ")
            if value.isdigit():
                self.counters[name] = int(value)
        self.status = self.process.wait(timeout=20)
        self.process.stdout.close()

    def __exit__(self, kind, value, trace):
        self.stop()
        self.folder.cleanup()


def tshark(path, *arguments):
    checks = [word for name in ("ip", "udp", "tcp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    return run("tshark", "-r", path, *checks, *arguments).split("\n")


class KernelPeerCase(unittest.TestCase):
    def finish(self, host, missing_max=0):
        """Ends it; nothing leaked; every frame is sound in tshark's eyes."""
        host.stop()
        self.assertEqual(host.status, 0)
        self.assertLessEqual(host.counters["packets_missing"], missing_max)
        for name in host.counters:
            self.assertNotRegex(name, "checksum|malformed|length|overlap")
        captures = glob.glob(os.path.join(host.folder.name, "*.pcapng"))
        self.assertEqual(len(captures), 1 if "capture_dropped" in host.counters else 0)
        if not captures:
            return
        self.assertEqual(host.counters["capture_dropped"], 0)
        if shutil.which("tshark") is None:
            print("tshark is not installed: the capture was not looked at", file=sys.stderr)
            return
        shown = [line for line in tshark(captures[0], "-T", "fields", "-e", "frame.number") if line.strip().isdigit()]
        self.assertGreater(len(shown), 10)
        bad = tshark(captures[0], "-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                     "icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        self.assertEqual([line for line in bad if re.match(r"\s*\d+ ", line)], [])

    def ping(self, address, size, count=10):
        ping(self, address, size, count)

    def arping(self, host):
        text = run("arping", "-c", "3", "-w", "5", "-I", host.interface, PEER4, check=False)
        self.assertRegex(text, "Received 3 response", text)
        return text.lower()

    def udp_echo(self, sizes=(0, 1, 17, 511, 1452, 1472, 1473, 5000, 30000), flows=1):
        for family, address in ((socket.AF_INET, PEER4), (socket.AF_INET6, PEER6)):
            for _ in range(flows):
                with socket.socket(family, socket.SOCK_DGRAM) as client:
                    client.settimeout(5)
                    client.connect((address, 7))
                    for size in sizes:
                        sent = os.urandom(size)
                        client.send(sent)
                        self.assertEqual(client.recv(65536), sent)

    def refused(self):
        for family, address in ((socket.AF_INET, PEER4), (socket.AF_INET6, PEER6)):
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.settimeout(5)
                client.connect((address, 9))
                client.send(b"anybody?")
                with self.assertRaises(ConnectionRefusedError):
                    client.recv(100)


class EchoServer:
    """The kernel's: both families, on a port of its own choice, until the `with` ends."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.bind(("::", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.echo)
        self.thread.start()
        return self

    def echo(self):
        while not self.is_over.is_set():
            try:
                data, peer = self.socket.recvfrom(65536)
                self.socket.sendto(data, peer)
            except OSError:
                pass

    def __exit__(self, kind, value, trace):
        self.is_over.set()
        self.thread.join()
        self.socket.close()


def namespace_command():
    """What runs a command in a network namespace of its own."""
    return ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]


def run_inside(path, arguments, tools, probe, sentence, timeout=250):
    """Runs the test program again inside, if `probe` works there; else says why not. Returns the exit status."""
    for tool in ("unshare", "ip", "ping", "arping", *tools):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool}")
            return 77
    tried = subprocess.run(namespace_command() + probe, capture_output=True, text=True)
    if tried.returncode != 0:
        print(f"skipped: {sentence}: {tried.stderr.strip()}")
        return 77
    return subprocess.run(namespace_command() + [sys.executable, path, "--inside"] + arguments, timeout=timeout).returncode


TAP_PROBE = (["ip", "tuntap", "add", "mr_probe", "mode", "tap"], "a network namespace with a TAP device is not permitted")
VETH_PROBE = (["ip", "link", "add", "mr_kernel", "type", "veth"], "a network namespace with a veth pair is not permitted")


def main_of(path, take_arguments, probe, takes_root="", timeout=250):
    """What a test program here does: runs itself again inside a namespace, where `take_arguments` takes its words and its cases
    run. Skips with a sentence where that cannot be; `takes_root` names what root is for. Returns the exit status."""
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        take_arguments()
        run("ip", "link", "set", "lo", "up")
        unittest.main(verbosity=2)
    if takes_root and os.geteuid() != 0:
        print(f"skipped: {takes_root} root")
        return 77
    if not os.path.exists("/dev/net/tun"):
        print("skipped: there is no /dev/net/tun")
        return 77
    return run_inside(path, sys.argv[1:], [], *probe, timeout=timeout)
