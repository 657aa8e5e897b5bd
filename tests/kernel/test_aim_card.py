"""Aimed traffic (docs/aiming.md) over a card: a TAP device of DPDK's with a queue a worker. Where this kernel has no flow rules for
it, datagrams for a worker's port land on any queue: all must be answered there, and rightly.

    test_aim_card.py MILLRACE MILLRACE_LOAD    exit status 77, with a sentence, where it takes root or a namespace and there is none
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from card_case import PORT, SEED, CardCase  # noqa: E402
from kernel_peer import PEER4, TAP_PROBE, main_of, run  # noqa: E402
from udp_wire import UdpWire  # noqa: E402

LOAD = None
INTERFACE = "mr_aimed"
BASE, WORKERS = 11300, 2


class AimedAtACard(CardCase):
    def setUp(self):
        super().setUp()
        self.serve(f"tap:{INTERFACE}", "--udp-aim", str(BASE), workers=WORKERS)
        run("ip", "link", "set", INTERFACE, "up")
        run("ip", "addr", "add", "10.9.0.1/24", "dev", INTERFACE)
        self.wait_for(self.is_reached)

    def test_says_whether_the_card_has_rules(self):
        # DPDK's TAP driver has them where the kernel has sch_multiq and cls_flower.
        self.assertRegex(self.said(), "rules of the card lead UDP ports 11300 to 11301 to their workers' queues|"
                                      r"no rules for UDP ports over IPv4 \(.+\): a request that was aimed")

    def is_reached(self):
        wire = UdpWire(PORT, host=PEER4)
        try:
            return any(wire.responses(wire.send(b"version\r\n"), 0.2))
        except OSError:
            return False
        finally:
            wire.close()

    def test_whatever_port_and_queue(self):
        prng = self.prng
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


def take_arguments():
    global LOAD
    CardCase.millrace, LOAD = sys.argv.pop(1), sys.argv.pop(1)
    print(f"MILLRACE_TEST_SEED={SEED}", flush=True)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, TAP_PROBE, "DPDK's TAP device takes"))
