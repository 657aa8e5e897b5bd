"""Looking inside a server whose card is a TAP device of DPDK's, while a memcached client asks it over UDP from the kernel's end.

    test_inside.py MILLRACE MILLRACE_CTL    exit status 77, with a sentence, where it takes root or a namespace and there is none

Captures are started, bounded, ended and refused by millrace-ctl; tshark reads every file and finds no malformed frame; frames in
the files are as many as the queues counted meanwhile; counters in `stats` and on the socket are the same.
"""

import glob
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from card_case import PORT, CardCase  # noqa: E402
from kernel_peer import PEER4, TAP_PROBE, main_of, run, tshark  # noqa: E402
from udp_wire import UdpWire  # noqa: E402
from wire import Wire  # noqa: E402

CTL = None
INTERFACE = "mr_seen"
WORKERS = 2


class Inside(CardCase):
    user = "nobody"  # captures are made with the rights of whom the server becomes, whoever asks

    def setUp(self):
        super().setUp()
        shutil.chown(self.folder, self.user)
        self.serve(f"tap:{INTERFACE}", "--telemetry", workers=WORKERS)
        # Nothing is to pass but what the tests send: no IPv6, and nobody asks for the card's address again.
        with open(f"/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        run("ip", "link", "set", INTERFACE, "up")
        run("ip", "addr", "add", "10.9.0.1/24", "dev", INTERFACE)
        self.wait_for(lambda: "telemetry at " in self.said())
        self.path = re.search(r"telemetry at (\S+)", self.said()).group(1)
        self.wait_for(lambda: self.ctl("ports")["port_0"]["link"] == "up")
        mac = self.ctl("ports")["port_0"]["mac"]
        run("ip", "neigh", "replace", PEER4, "lladdr", mac, "dev", INTERFACE, "nud", "permanent")
        # Who has become somebody else leaves it behind.
        self.addCleanup(shutil.rmtree, os.path.dirname(self.path), ignore_errors=True)

    def ctl(self, *words, status=0):
        """The answer; where it is refused, the sentence. By its path: other tests have servers too."""
        done = subprocess.run([sys.executable, CTL, "--socket", self.path, "--json", *words], capture_output=True, text=True,
                              timeout=30)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return json.loads(done.stdout) if status == 0 else done.stderr

    def settled_queues(self):
        """Counters once nothing has changed for longer than workers take to write them down."""
        before = None
        for _ in range(50):
            now = self.ctl("queues")
            if now == before:
                return now
            before = now
            time.sleep(0.3)
        self.fail("frames keep coming")

    def ask(self, flows=8, rounds=10):
        """Sets and gets over UDP, from many ports, so that each queue has some."""
        for flow in range(flows):
            client = UdpWire(PORT, host=PEER4)
            for i in range(rounds):
                key = b"key_%d_%d" % (flow, i)
                self.assertEqual(client.ask(b"set %s 0 0 5\r\nvalue\r\n" % key), [b"STORED\r\n"])
                self.assertEqual(client.ask(b"get %s\r\n" % key), [b"VALUE %s 0 5\r\nvalue\r\nEND\r\n" % key])
            client.close()

    def frames_of(self, path):
        """(received, sent), after tshark has looked at each frame. Checksums of sent ones are left to this device."""
        lines = tshark(path, "-T", "fields", "-e", "frame.number", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction")
        rows = [line.split("\t") for line in lines if re.match(r"\d+\t", line)]
        bad = tshark(path, "-Y", "_ws.malformed || (frame.packet_flags_direction == 1 && "
                     "(ip.checksum.status == 0 || udp.checksum.status == 0))")
        self.assertEqual([line for line in bad if re.match(r"\s*\d+ ", line)], [])
        worker = re.search(r"worker_(\d+)_", path).group(1)
        for row in rows:
            self.assertEqual(row[1], f"worker {worker}")
        received = sum(int(row[2], 0) == 1 for row in rows)
        self.assertEqual(sum(int(row[2], 0) == 2 for row in rows), len(rows) - received)
        return received, len(rows) - received

    def test_capture_while_a_client_asks(self):
        target = os.path.join(self.folder, "frames")
        os.mkdir(target)
        shutil.chown(target, self.user)
        self.ask(flows=1, rounds=1)  # neighbours are known
        before = self.settled_queues()
        started = self.ctl("capture", "start", "--dir", target, "--frames", "5000", "--seconds", "60")
        self.assertEqual(started["running"], 1)
        self.assertEqual(len(started["files"]), WORKERS)
        self.assertIn("stop it first", self.ctl("capture", "start", "--dir", target, status=1))
        self.ask()
        after = self.settled_queues()
        stopped = self.ctl("capture", "stop")
        self.assertEqual((stopped["end"], stopped["dropped"]), ("stopped", 0))
        self.assertIn("none is running", self.ctl("capture", "stop", status=1))
        self.assertEqual(sorted(os.listdir(target)), sorted(stopped["files"]))
        paths = [os.path.join(target, name) for name in stopped["files"]]
        self.assertEqual(sum(os.path.getsize(path) for path in paths), stopped["bytes"])
        for path in paths:
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        if shutil.which("tshark") is None:
            print("tshark is not installed: the captures were not looked at", file=sys.stderr)
            return
        in_all = 0
        for worker, path in enumerate(paths):
            received, sent = self.frames_of(path)
            queue = f"queue_{worker}"
            self.assertEqual(received, after[queue]["rx_frames"] - before[queue]["rx_frames"])
            self.assertEqual(sent, after[queue]["tx_frames"] - before[queue]["tx_frames"])
            in_all += received + sent
        self.assertEqual(in_all, stopped["frames"])
        self.assertGreaterEqual(in_all, 2 * 2 * 8 * 10)

    def test_a_capture_ends_by_itself(self):
        self.ctl("capture", "start", "--dir", self.folder, "--frames", "20", "--snap", "64")
        self.ask(flows=2)
        self.wait_for(lambda: self.ctl("capture", "status")["running"] == 0)
        status = self.ctl("capture", "status")
        self.assertEqual((status["end"], status["frames"]), ("frames", 20))
        if shutil.which("tshark") is not None:
            paths = glob.glob(os.path.join(self.folder, "*.pcapng"))
            self.assertEqual(sum(sum(self.frames_of(path)) for path in paths), 20)

    def test_what_cannot_be_is_refused_with_a_sentence(self):
        self.assertIn("No such file or directory", self.ctl("capture", "start", "--dir", "/nowhere", status=1))
        for mode, sentence in ((0o700, "the directory cannot be opened: Permission denied"),
                               (0o755, "no file can be made in the directory: Permission denied")):
            forbidden = os.path.join(self.folder, f"roots_{mode:o}")
            os.mkdir(forbidden)
            os.chmod(forbidden, mode)
            self.assertIn(sentence, self.ctl("capture", "start", "--dir", forbidden, status=1))
            self.assertEqual(os.listdir(forbidden), [])
        os.symlink(self.folder, os.path.join(self.folder, "link"))
        self.assertIn("cannot be opened", self.ctl("capture", "start", "--dir", os.path.join(self.folder, "link"), status=1))
        self.assertIn("BYTES is a whole number from 65536", self.ctl("capture", "start", "--dir", self.folder, "--bytes", "1", status=1))
        self.assertIn("a worker is a number from 0 to 1", self.ctl("drops", "2", status=1))
        self.assertEqual(self.ctl("capture", "status")["running"], 0)

    def test_counters(self):
        self.ask(flows=24, rounds=2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"anybody?", (PEER4, 9))  # nobody has that port
        self.wait_for(lambda: sum(sum(w.values()) for w in self.ctl("drops").values()) > 0)
        port = self.ctl("ports")["port_0"]
        self.assertEqual((port["driver"], port["queues"], port["mtu"]), ("net_tap", WORKERS, 1500))
        queues = None
        while queues != self.ctl("queues"):  # else a frame came in between
            queues = self.settled_queues()
            drops, stack = self.ctl("drops"), self.ctl("stack")
            with Wire(PORT) as wire:
                stats = {line.split(b" ")[1].decode(): line.split(b" ")[2] for line in self.stats_lines(wire)}
            time.sleep(0.2)
        for worker in range(WORKERS):
            self.assertGreater(queues[f"queue_{worker}"]["rx_frames"], 0)
            for name, value in queues[f"queue_{worker}"].items():
                self.assertEqual(int(stats[f"millrace_queue_{worker}_{name}"]), value, name)
        for name in {name for worker in drops.values() for name in worker}:
            self.assertEqual(int(stats["millrace_drop_" + name]), sum(worker.get(name, 0) for worker in drops.values()), name)
        self.assertGreaterEqual(sum(int(value) for name, value in stats.items() if name.startswith("millrace_drop_")), 1)
        self.assertEqual(int(stats["millrace_stack_datagrams_received"]),
                         sum(worker.get("datagrams_received", 0) for worker in stack.values()))
        self.assertGreaterEqual(int(stats["millrace_stack_datagrams_received"]), 24 * 2 * 2)

    def stats_lines(self, wire):
        wire.send(b"stats\r\n")
        text = b""
        while not text.endswith(b"END\r\n"):
            text += wire.socket.recv(65536)
        return text.split(b"\r\n")[:-2]

    def test_the_tool(self):
        plain = run(sys.executable, CTL, "--socket", self.path, "ports")
        self.assertRegex(plain, r"(?m)^port_0 driver net_tap$")
        self.assertIn("No such file", run(sys.executable, CTL, "--socket", self.folder + "/none", "ports", check=False))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(self.path)).st_mode), 0o700)


def take_arguments():
    global CTL
    CardCase.millrace, CTL = sys.argv.pop(1), sys.argv.pop(1)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, TAP_PROBE, "DPDK's TAP device takes"))
