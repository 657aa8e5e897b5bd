"""A server with a card of its own (--nic): another process of ours at the other end of a memif, and this kernel at the other end of a
TAP device and of a veth pair.

    test_nic.py MILLRACE MILLRACE_LOAD    exit status 77, with a sentence, where it takes root or a namespace and there is none

Answers are right over IPv4 and IPv6, with one queue and with two, beside TCP by the kernel; tshark, at the kernel's end, finds no
malformed frame; a generator that is killed does not take the server with it; an idle server rests.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from card_case import PORT, SEED, CardCase  # noqa: E402
from kernel_peer import PEER4, PEER6, VETH_PROBE, give_addresses, main_of, ping, run, tshark  # noqa: E402
from udp_wire import UdpWire  # noqa: E402
from wire import Wire  # noqa: E402

MILLRACE = LOAD = None
CPUS = sorted(os.sched_getaffinity(0))


class Card(CardCase):
    # --- the kernel's clients

    def ping(self):
        for address in (PEER4, PEER6):
            for size in (0, 56, 1472, 4000):
                ping(self, address, size, count=5)

    def ask(self, flows=8, rounds=20):
        """What one client stores, over either family or TCP, another finds."""
        wires = [UdpWire(PORT, host=(PEER4, PEER6)[i % 2]) for i in range(flows)]
        for i in range(flows * rounds):
            key, value = b"key_%d" % self.prng.randrange(10_000), b"v" * self.prng.choice((0, 1, 60, 900, 1300))
            with_whom = self.prng.choice(wires)
            self.assertEqual(with_whom.ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)), [b"STORED\r\n"])
            answer = b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(value), value)
            self.assertEqual(self.prng.choice(wires).ask(b"get %s\r\n" % key), [answer])
        with Wire(port=PORT, timeout=30) as tcp:
            long = bytes(self.prng.randrange(97, 123) for _ in range(20_000))
            self.assertEqual(tcp.ask(b"set long 0 0 %d\r\n%s\r\n" % (len(long), long)), b"STORED")
        # Fifteen datagrams.
        self.assertEqual(wires[0].ask(b"get long\r\n"), [b"VALUE long 0 20000\r\n" + long + b"\r\nEND\r\n"])
        self.assertEqual(wires[1].ask(b"get long\r\n"), [b"VALUE long 0 20000\r\n" + long + b"\r\nEND\r\n"])
        for wire in wires:
            wire.close()

    def test_tap(self):
        self.serve("tap:mr_card")
        run("ip", "link", "set", "mr_card", "up")
        give_addresses("mr_card")
        self.wait_for(self.is_reached)
        self.ping()
        self.ask()
        self.rests()
        # The TAP device calls: nobody naps.
        before = self.stats()
        time.sleep(1)
        after = self.stats()
        self.assertGreater(int(after["millrace_sleeps"]), int(before["millrace_sleeps"]) + 20)
        self.assertLess(int(after["millrace_naps"]) - int(before["millrace_naps"]), 20)
        self.assertGreater(int(after["millrace_idle_us"]) - int(before["millrace_idle_us"]), 300_000)
        # What comes to an idle server is answered at once, also when many a sleep lies in between.
        wire = UdpWire(PORT, host=PEER4)
        for _ in range(30):
            time.sleep(0.02)
            self.assertEqual(wire.ask(b"get nothing\r\n"), [b"END\r\n"])
        wire.close()

    def test_poll_never_rests(self):
        self.serve("tap:mr_card", "--poll")
        run("ip", "link", "set", "mr_card", "up")
        give_addresses("mr_card")
        self.wait_for(self.is_reached)
        time.sleep(0.5)
        stats = self.stats()
        self.assertEqual((stats["millrace_sleeps"], stats["millrace_naps"]), ("0", "0"))
        self.assertGreater(int(stats["millrace_idle_us"]), 0)

    def rests(self):
        """Nobody asks: what the server uses of a processor is a few hundred looks a second."""
        def used_s():
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
                words = file.read().rpartition(")")[2].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.5)
        before = used_s()
        time.sleep(2)
        self.assertLess(used_s() - before, 1.0, "it does not rest")

    def af_packet(self, workers):
        self.veth(workers)
        capture = os.path.join(self.folder, "seen.pcapng")
        watch = None
        if shutil.which("dumpcap") is not None:
            watch = subprocess.Popen(["dumpcap", "-q", "-i", "mr_kernel", "-w", capture], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True)
            for line in watch.stderr:
                if line.startswith("File:"):
                    break
        self.serve("af_packet:mr_dpdk", workers=workers)
        self.wait_for(self.is_reached)
        self.ping()
        self.ask(flows=24)
        # Each core has to find its neighbours again, wherever their answers land.
        run("ip", "neigh", "flush", "dev", "mr_kernel")
        self.ask(flows=24, rounds=2)
        stats = self.stats()
        for queue in range(workers):
            self.assertGreater(int(stats[f"millrace_queue_{queue}_rx_frames"]), 0, stats)
        if workers > 1:
            self.assertGreater(int(stats["millrace_stack_news_taken"]), 0)
        if watch is None:
            print("dumpcap is not installed: frames were not looked at", file=sys.stderr)
            return
        time.sleep(0.3)
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=20)
        shown = [line for line in tshark(capture, "-T", "fields", "-e", "frame.number") if line.strip().isdigit()]
        self.assertGreater(len(shown), 500)
        bad = tshark(capture, "-Y", "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || "
                     "icmp.checksum.status == 0 || icmpv6.checksum.status == 0")
        self.assertEqual([line for line in bad if re.match(r"\s*\d+ ", line)], [])

    def test_af_packet(self):
        self.af_packet(1)

    def test_af_packet_with_two_queues(self):
        self.af_packet(2)

    # --- another process of ours

    def load(self, *arguments, threads=1, connections=16):
        cores = ",".join(str(CPUS[(i + 1) % len(CPUS)]) for i in range(threads))
        return [LOAD, "--udp", "--nic", f"memif:{self.folder}/m.sock", "--nic-ip", "10.9.0.1/24", "--nic-ip", "fd00:9::1/64",
                "--threads", str(threads), "--cores", cores, "--connections", str(connections), "--seed", str(SEED),
                "--timeout-seconds", "2", *arguments]

    def memif(self, workers):
        self.serve(f"memif:{self.folder}/m.sock,server", workers=workers)
        for address in (PEER4, f"[{PEER6}]"):
            done = subprocess.run(
                self.load("--server", f"{address}:{PORT}", "--verify", "--keys", "2000", "--mode", "fill,get", "--requests",
                          "20000", threads=workers, connections=16 * workers),
                capture_output=True, text=True, timeout=100)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.said())
            self.assertRegex(done.stdout, r"(?m)^get +1 .* 1\.0000 ")
        stats = self.stats()
        self.assertEqual(int(stats["get_hits"]), 40_000)
        self.assertEqual(int(stats["curr_items"]), 2000)
        for queue in range(workers):
            self.assertGreater(int(stats[f"millrace_queue_{queue}_rx_frames"]), 0, stats)

    def test_memif(self):
        self.memif(1)

    def test_memif_with_two_queues(self):
        if len(CPUS) < 2:
            self.skipTest("two polling threads of the generator take two cores")
        self.memif(2)

    def test_a_generator_that_is_killed(self):
        self.serve(f"memif:{self.folder}/m.sock,server")
        with open(self.millrace, "rb") as program:
            is_guarded = re.search(rb"__[at]san_init", program.read()) is None
        # In the midst of bursts, where DPDK unmaps what the peer had shared; a sanitizer has a munmap() of its own, and then
        # nothing makes DPDK wait (unmap_guard.h).
        speed = [] if is_guarded else ["--rate", "50"]
        for _ in range(10 if is_guarded else 1):
            before = int(self.stats()["cmd_get"])
            victim = subprocess.Popen(
                self.load("--server", f"{PEER4}:{PORT}", "--keys", "100", "--mode", "fill,get", *speed, "--seconds", "60"),
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.wait_for(lambda before=before: int(self.stats()["cmd_get"]) > before + 5)
            time.sleep(self.prng.random() / 10)
            victim.kill()
            victim.wait()
        # It has the MAC of those before, so nobody has to find out that it is another.
        done = subprocess.run(self.load("--server", f"{PEER4}:{PORT}", "--keys", "100", "--mode", "fill,get", "--requests",
                                        "2000"), capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.said())

    def test_what_cannot_be_is_refused_with_a_sentence(self):
        def refused(*arguments):
            done = subprocess.run([MILLRACE, "-u", "root", "-l", "127.0.0.1", "-p", str(PORT), "-U", str(PORT), *arguments],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            return done.stdout + done.stderr
        self.assertIn("--nic: ", refused("--nic", "nonsense", "--ip", "10.0.0.2/24"))
        self.assertIn("the network itself", refused("--nic", "null", "--ip", "10.0.0.0/24"))
        self.assertIn("on none of the networks", refused("--nic", "null", "--ip", "10.0.0.2/24", "--gateway", "10.1.0.1"))
        self.assertNotEqual(refused("--nic", "af_packet:mr_not_there", "--ip", "10.0.0.2/24"), "")


def take_arguments():
    global MILLRACE, LOAD
    MILLRACE, LOAD = sys.argv.pop(1), sys.argv.pop(1)
    CardCase.millrace = MILLRACE
    print(f"MILLRACE_TEST_SEED={SEED}", flush=True)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, VETH_PROBE, "DPDK's TAP device and packet sockets take"))
