"""Aimed traffic (docs/aiming.md) over a card: a TAP device of DPDK's with a queue a worker. It has no flow rules, so datagrams for
a worker's port land on any queue: all must be answered there, and rightly.

    test_aim_card.py MILLRACE MILLRACE_LOAD    exit status 77, with a sentence, where it takes root or a namespace and there is none
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from kernel_peer import PEER4, run, run_inside  # noqa: E402
from udp_wire import UdpWire  # noqa: E402
from wire import Wire  # noqa: E402

MILLRACE = LOAD = None
INTERFACE = "mr_aimed"
PORT, BASE, WORKERS = 11211, 11300, 2
SEED = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


class AimedAtACard(unittest.TestCase):
    def setUp(self):
        self.log = tempfile.NamedTemporaryFile("w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.process = subprocess.Popen(
            [MILLRACE, "-u", "root", "-m", "64", "-t", str(WORKERS), "--oversubscribe", "-l", "127.0.0.1", "-p", str(PORT),
             "-U", str(PORT), "--udp-aim", str(BASE), "--nic", f"tap:{INTERFACE}", "--ip", f"{PEER4}/24"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.addCleanup(self.end)
        self.wait_for(self.is_serving)
        run("ip", "link", "set", INTERFACE, "up")
        run("ip", "addr", "add", "10.9.0.1/24", "dev", INTERFACE)
        self.wait_for(self.is_reached)

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def is_serving(self):
        self.assertIsNone(self.process.poll(), self.said())
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        except OSError:
            return False
        return True

    def is_reached(self):
        wire = UdpWire(PORT, host=PEER4)
        try:
            return any(wire.responses(wire.send(b"version\r\n"), 0.2))
        except OSError:
            return False
        finally:
            wire.close()

    def end(self):
        self.process.terminate()
        self.assertEqual(self.process.wait(timeout=30), 0, self.said())
        self.assertNotRegex(self.said(), "ERROR: |WARNING: ThreadSanitizer|runtime error:")

    def wait_for(self, condition, seconds=30):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, self.said())
            time.sleep(0.05)

    def stats(self, words=b""):
        with Wire(port=PORT, timeout=30) as tcp:
            return tcp.stats(words)

    def test_whatever_port_and_queue(self):
        prng = random.Random(SEED)
        ports = [PORT] + [BASE + i for i in range(WORKERS)]
        for _ in range(8):
            wires = [UdpWire(port, host=PEER4) for port in ports]
            for _ in range(25):
                key, value = b"key_%d" % prng.randrange(10_000), b"v" * prng.choice((1, 60, 900, 1350))
                # Stored at one port, asked for at another.
                self.assertEqual(prng.choice(wires).ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)), [b"STORED\r\n"])
                self.assertEqual(prng.choice(wires).ask(b"get %s\r\n" % key),
                                 [b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(value), value)])
            for wire in wires:
                wire.close()

    def test_millrace_load(self):
        if not os.path.exists(LOAD):
            self.skipTest(f"no millrace-load at {LOAD}")
        done = subprocess.run(
            [LOAD, "--server", f"{PEER4}:{PORT}", "--udp", "--aim", "--verify", "--keys", "500", "--connections", "8", "--mode",
             "fill,get", "--requests", "2000", "--seed", str(SEED)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("2000 of 2000 requests went to the worker that owns their key", done.stdout)
        self.assertEqual(int(self.stats()["curr_items"]), 500)


def main():
    global MILLRACE, LOAD
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        MILLRACE, LOAD = sys.argv.pop(1), sys.argv.pop(1)
        print(f"MILLRACE_TEST_SEED={SEED}", flush=True)
        run("ip", "link", "set", "lo", "up")
        unittest.main(verbosity=2)
    if os.geteuid() != 0:
        print("skipped: DPDK's TAP device takes root")
        return 77
    if not os.path.exists("/dev/net/tun"):
        print("skipped: there is no /dev/net/tun")
        return 77
    return run_inside(__file__, sys.argv[1:], [], ["ip", "tuntap", "add", "mr_probe", "mode", "tap"],
                      "a network namespace with a TAP device is not permitted")


if __name__ == "__main__":
    sys.exit(main())
