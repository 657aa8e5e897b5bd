"""A server with a card (--nic) whom nobody is kind to: damaged frames from the other end of a TAP device and of a veth pair, kill -9,
links that flap.

    test_hostile.py MILLRACE MILLRACE_LOAD MILLRACE_CTL    exit status 77, with a sentence, where it takes root or a namespace and
                                                           there is none

MILLRACE_HOSTILE_FRAMES says how many frames each device gets. Afterwards the server answers ping and memcached's clients, counters
tell what became of each frame, every buffer is back, and memory has not grown.
"""

import errno
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from card_case import PORT, SEED, CardCase  # noqa: E402
from hostile_frames import Frames  # noqa: E402
from kernel_peer import PEER4, PEER6, VETH_PROBE, give_addresses, main_of, run  # noqa: E402
from udp_wire import Lost, UdpWire  # noqa: E402

LOAD = CTL = None
FRAMES = int(os.environ.get("MILLRACE_HOSTILE_FRAMES") or 30_000)
WINDOW = 128  # frames on their way at once: fewer than the rings of the kernel hold
GROWTH_BYTES_MAX = 8 << 20
# Frames that a handful of each kind has to bring about.
EXPECTED = """frame_short frame_not_for_us vlan_other ethertype_unknown arp_malformed ip_version ip_header_length ip_total_length
ip_checksum ip_options source_route ip_ttl martian_source ip_not_for_us ip_protocol_unknown ipv6_extension fragment_malformed
fragment_overlap icmp_malformed icmp_checksum icmp_ignored icmp_not_ours ndp_malformed ndp_router udp_length udp_checksum udp_no_port
udp_source_port""".split()


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


class Hostile(CardCase):
    def tap(self):
        self.serve("tap:mr_card", "--telemetry", workers=2)
        self.bring_up("mr_card")

    def bring_up(self, interface):
        with open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("0")
        run("ip", "link", "set", interface, "up")
        give_addresses(interface)
        self.wait_for(self.is_reached)

    def ctl(self, *words):
        # By its path: the sockets of those that were killed are passed over, those of other servers are not.
        path = re.search(r"telemetry at (\S+)", self.said()).group(1)
        return json.loads(run(sys.executable, CTL, "--socket", path, "--json", *words))

    def queues(self, name, stats=None):
        return sum(int(value) for key, value in (stats or self.stats()).items() if re.fullmatch(f"millrace_queue_\\d+_{name}", key))

    def answers(self, seconds=10, hosts=(PEER4, PEER6)):
        """A client's question of each family, in time; a datagram may be lost, as they may."""
        for host in hosts:
            until = time.monotonic() + seconds
            while True:
                wire = UdpWire(PORT, host=host, timeout=1)
                try:
                    self.assertEqual(wire.ask(b"set answered 0 0 2\r\nok\r\n"), [b"STORED\r\n"])
                    self.assertEqual(wire.ask(b"get answered\r\n"), [b"VALUE answered 0 2\r\nok\r\nEND\r\n"])
                    break
                except (Lost, OSError):
                    self.assertLess(time.monotonic(), until, self.said())
                finally:
                    wire.close()

    def rss_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.process.pid}/status")).group(1)) << 10

    # --- damaged frames

    def send(self, interface, frames, count):
        """So slowly that none is lost on the way. Returns how many the kernel took."""
        sent, waited = 0, 0
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind((interface, 0))
            before = self.queues("rx_frames") + self.queues("rx_errors")
            for i in range(count):
                try:
                    wire.send(frames())
                    sent += 1
                except OSError as error:
                    if error.errno not in (errno.EMSGSIZE, errno.EINVAL, errno.ENOBUFS):
                        raise
                if sent >= waited + WINDOW or i + 1 == count:
                    waited = sent
                    self.assertIsNone(self.process.poll(), self.said())
                    for _ in range(10):
                        stats = self.stats()
                        missing = sent - (self.queues("rx_frames", stats) + self.queues("rx_errors", stats) - before)
                        if missing <= 0:
                            break
                        time.sleep(0.001)
                    before -= max(missing, 0)  # they do not come any more: nobody waits for them twice
        return sent

    def flood(self, interface, card_mac, arriving_min):
        """`arriving_min`: share of the frames that has to get as far as the server."""
        own_mac = json.loads(run("ip", "-j", "link", "show", interface))[0]["address"]
        frames = Frames(self.prng, card_mac, own_mac)
        self.answers()
        self.send(interface, frames.next, FRAMES // 4)
        self.answers()
        time.sleep(0.2)
        outstanding, memory = self.ctl("ports")["port_0"]["buffers_outstanding"], self.rss_bytes()
        before = self.stats()
        sent = self.send(interface, frames.next, FRAMES)
        sent += self.send(interface, self.scapy_frames(card_mac, own_mac), FRAMES // 50)
        self.answers(seconds=2)
        self.assertIn(" 0% packet loss", run("ping", "-n", "-c", "3", "-i", "0.02", "-W", "2", PEER4, check=False))
        self.assertIn(" 0% packet loss", run("ping", "-n", "-c", "3", "-i", "0.02", "-W", "2", PEER6, check=False))
        time.sleep(0.2)
        after = self.stats()

        def grown(pattern):
            return sum(int(after[name]) - int(before.get(name, 0)) for name in after if re.fullmatch(pattern, name))
        received = grown(r"millrace_queue_\d+_rx_frames")
        lost = grown(r"millrace_queue_\d+_(rx_missed|rx_errors)")
        dropped = grown(r"millrace_drop_\w+")
        taken = grown(r"millrace_stack_(datagrams_received|fragments_received|arp_replies_sent|neighbor_adverts_sent|"
                      r"echo_replies_sent|icmp_errors_received)")
        told = frames.told
        print(f"{interface}: {sent} sent, {received} received, {lost} lost by the device, {dropped} dropped, {taken} taken, "
              f"{told} may have told of neighbours; {outstanding} buffers out, rss {memory >> 10} KiB, then {self.rss_bytes() >> 10}",
              flush=True)
        self.assertGreaterEqual(received + lost, sent * arriving_min)
        # Whatever was received is counted as something, but for an ARP reply and an advertisement, which are believed or not.
        self.assertGreaterEqual(dropped + taken + told, received)
        self.assertGreater(dropped, received // 3)
        self.assertEqual([name for name in EXPECTED if grown(f"millrace_drop_{name}") == 0], [])
        self.assertGreater(grown("millrace_udp_drop_(no_header|not_whole)"), 0)
        self.wait_for(lambda: self.ctl("ports")["port_0"]["buffers_outstanding"] <= outstanding)
        self.assertLess(self.rss_bytes(), memory + GROWTH_BYTES_MAX)

    def scapy_frames(self, card_mac, own_mac):
        """Scapy's own idea of bad frames, a second source; they are made before they are sent, since that takes a millisecond each."""
        try:
            import random
            from scapy.all import ARP, ICMP, IP, UDP, Ether, IPv6, Raw, fuzz
            from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6ExtHdrFragment
        except ImportError:
            print("scapy is not installed: its frames were not sent", file=sys.stderr)
            return Frames(self.prng, card_mac, own_mac).next
        random.seed(self.prng.random())
        ether = Ether(dst=card_mac, src=own_mac)
        kinds = [ether / fuzz(IP(dst=PEER4)) / fuzz(UDP()), ether / fuzz(IP(dst=PEER4) / ICMP()), ether / fuzz(ARP()),
                 ether / IP(dst=PEER4, src="10.9.0.77") / fuzz(UDP(dport=PORT)) / Raw(b"\0\1\0\0\0\1\0\0version\r\n"),
                 ether / IP(dst=PEER4, src="10.9.0.77") / fuzz(ICMP()), ether / fuzz(IPv6(dst=PEER6)) / fuzz(UDP()),
                 ether / IPv6(dst=PEER6, src="fd00:9::77") / fuzz(IPv6ExtHdrFragment()) / Raw(b"x" * 40),
                 ether / IPv6(dst=PEER6, src="fd00:9::77") / fuzz(ICMPv6EchoRequest()),
                 ether / IPv6(dst=PEER6, src="fd00:9::77", hlim=255) / fuzz(ICMPv6ND_NS())]
        made = []
        while len(made) < 500:
            try:
                made.append(bytes(self.prng.choice(kinds)))
            except (struct.error, OSError, ValueError):
                pass  # what scapy itself cannot write
        return lambda: self.prng.choice(made)

    def test_damaged_frames_by_tap(self):
        self.tap()
        self.flood("mr_card", self.ctl("ports")["port_0"]["mac"], 0.9)

    def test_damaged_frames_by_af_packet(self):
        self.veth(1)
        self.serve("af_packet:mr_dpdk", "--telemetry")
        self.wait_for(self.is_reached)
        # So that frames reach the server which it has no room for.
        run("ip", "link", "set", "mr_dpdk", "mtu", "9000")
        run("ip", "link", "set", "mr_kernel", "mtu", "9000")
        # The kernel keeps fragments of IPv4 to itself until they are whole.
        self.flood("mr_kernel", self.ctl("ports")["port_0"]["mac"], 0.7)

    # --- a capture, replayed

    def test_a_replayed_capture(self):
        """Questions between damaged frames, from a file and as fast as the wire takes them: each question has its effect."""
        if shutil.which("tcpreplay") is None:
            self.skipTest("tcpreplay is not installed")
        try:
            from scapy.all import IP, UDP, Ether, IPv6, Raw, wrpcap
        except ImportError:
            self.skipTest("scapy is not installed: nobody writes the capture")
        self.tap()
        self.answers()
        card_mac, own_mac = self.ctl("ports")["port_0"]["mac"], json.loads(run("ip", "-j", "link", "show", "mr_card"))[0]["address"]
        damaged = self.scapy_frames(card_mac, own_mac)
        frames, questions = [], 60
        for i in range(questions):
            frames += [damaged() for _ in range(self.prng.randrange(20))]
            ip = (IP(src="10.9.0.1", dst=PEER4), IPv6(src="fd00:9::1", dst=PEER6))[i % 2]
            question = b"\0\7\0\0\0\1\0\0set replayed_%d 0 0 %d\r\n%s\r\n" % (i, len(b"%d" % i), b"%d" % i)
            frames.append(bytes(Ether(dst=card_mac, src=own_mac) / ip / UDP(sport=40_000 + i, dport=PORT) / Raw(question)))
        path = os.path.join(self.folder, "hostile.pcap")
        wrpcap(path, [Ether(frame) for frame in frames])
        before = self.queues("rx_frames") + self.queues("rx_errors")
        text = run("tcpreplay", "--intf1=mr_card", "--pps=3000", "--loop=3", path)
        sent = int(re.search(r"Successful packets:\s+(\d+)", text).group(1))
        self.assertGreaterEqual(sent, 3 * len(frames) * 0.9, text)
        self.wait_for(lambda: self.queues("rx_frames") + self.queues("rx_errors") - before >= sent * 0.9)
        wire = UdpWire(PORT, host=PEER4)
        for i in range(questions):
            value = b"%d" % i
            self.assertEqual(wire.ask(b"get replayed_%d\r\n" % i),
                             [b"VALUE replayed_%d 0 %d\r\n%s\r\nEND\r\n" % (i, len(value), value)])
        wire.close()
        self.answers()

    # --- kill -9

    def kill(self):
        self.process.kill()
        self.process.wait()

    def test_killed_and_started_again(self):
        self.tap()
        self.answers()
        self.kill()
        self.tap()
        self.answers()
        self.end()
        self.veth(1)
        for _ in range(3):
            self.serve("af_packet:mr_dpdk")
            self.wait_for(self.is_reached)
            self.answers()
            self.kill()

    def test_the_socket_of_a_killed_server(self):
        path = os.path.join(self.folder, "m.sock")
        nic = f"memif:{path},server"
        core = str(max(os.sched_getaffinity(0)))

        def load():
            return subprocess.run(
                [LOAD, "--udp", "--nic", f"memif:{path}", "--nic-ip", "10.9.0.1/24", "--threads", "1", "--cores", core,
                 "--connections", "4", "--seed", str(SEED), "--server", f"{PEER4}:{PORT}", "--keys", "100", "--mode", "fill,get", "--requests", "500",
                 "--timeout-seconds", "2"], capture_output=True, text=True, timeout=60)
        self.serve(nic)
        done = load()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # A living server's stays.
        second = self.refused(nic)
        self.assertIn("another process does already", second)
        self.kill()
        self.assertTrue(os.path.exists(path))
        self.serve(nic)
        done = load()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.end()
        # Whoever comes before there is a server is told so.
        done = load()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("nobody listens", done.stdout + done.stderr)
        # What is no socket stays, too.
        with open(path + ".txt", "w", encoding="ascii") as file:
            file.write("text")
        self.assertIn("is no socket", self.refused(f"memif:{path}.txt,server"))
        self.assertEqual(read(path + ".txt"), "text")

    def refused(self, nic):
        done = subprocess.run([self.millrace, "-u", "root", "-m", "64", "-t", "1", "-l", "127.0.0.1", "-p", str(PORT + 1), "-U",
                               str(PORT + 1), "--nic", nic, "--ip", f"{PEER4}/24"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.stdout + done.stderr

    # --- links that flap

    def flap(self, interface, times=3):
        """Asks go on meanwhile, most of them for nothing."""
        wire = UdpWire(PORT, host=PEER4, timeout=0.02)
        for _ in range(times):
            run("ip", "link", "set", interface, "down")
            for _ in range(15):
                try:
                    wire.ask(b"get answered\r\n")
                except (Lost, OSError):
                    pass
            run("ip", "link", "set", interface, "up")
            self.answers(hosts=(PEER4,))
        wire.close()

    def test_a_tap_that_flaps(self):
        self.tap()
        self.answers()
        announced = int(self.stats()["millrace_stack_announcements_sent"])
        run("ip", "link", "set", "mr_card", "down")
        self.wait_for(lambda: self.ctl("ports")["port_0"]["link"] == "down")
        run("ip", "link", "set", "mr_card", "up")
        self.wait_for(lambda: self.ctl("ports")["port_0"]["link"] == "up")
        self.answers(hosts=(PEER4,))
        # Whoever heard nothing while the link was down is told where the server is.
        self.wait_for(lambda: int(self.stats()["millrace_stack_announcements_sent"]) > announced)
        self.flap("mr_card")

    def test_a_veth_that_flaps(self):
        self.veth(1)
        self.serve("af_packet:mr_dpdk")
        self.wait_for(self.is_reached)
        self.answers()
        self.flap("mr_kernel")
        self.flap("mr_dpdk")


def take_arguments():
    global LOAD, CTL
    CardCase.millrace, LOAD, CTL = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
    print(f"MILLRACE_TEST_SEED={SEED}", flush=True)


if __name__ == "__main__":
    sys.exit(main_of(__file__, take_arguments, VETH_PROBE, "DPDK's TAP device and packet sockets take",
                     timeout=250 + FRAMES // 1000))
