"""A server with a card of its own (--nic), and the kernel's end of a veth pair: what the tests of it share."""

import os
import random
import socket
import subprocess
import tempfile
import time
import unittest

from kernel_peer import PEER4, PEER6, give_addresses, run
from test_dpdk import switch_checksum_offload_off
from wire import Wire

PORT = 11211
SEED = int(os.environ.get("MILLRACE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


class CardCase(unittest.TestCase):
    millrace = None  # the program
    user = "root"    # whom it becomes

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.prng = random.Random(SEED)

    def serve(self, nic, *arguments, workers=1):
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.process = subprocess.Popen(
            [self.millrace, "-u", self.user, "-m", "64", "-t", str(workers), "--oversubscribe", "-l", "127.0.0.1", "-p", str(PORT),
             "-U", str(PORT), "--nic", nic, "--ip", f"{PEER4}/24", "--ip", f"{PEER6}/64", *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.addCleanup(self.end)
        self.wait_for(self.is_serving)

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def is_serving(self):
        self.assertIsNone(self.process.poll(), self.said())
        try:
            # Answered, and not only accepted: the kernel closes the listening socket of a killed process later, when
            # its io_uring has been taken apart.
            with socket.create_connection(("127.0.0.1", PORT), timeout=1) as connection:
                connection.sendall(b"version\r\n")
                return connection.recv(8) == b"VERSION "
        except OSError:
            return False

    def end(self):
        if self.process.returncode is not None:
            return  # it was killed, and another came in its place, or it has been ended
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

    def is_reached(self):
        return subprocess.run(["ping", "-n", "-c", "1", "-W", "1", PEER4], capture_output=True).returncode == 0

    def veth(self, workers):
        queues = ["numrxqueues", str(workers), "numtxqueues", str(workers)]
        run("ip", "link", "add", "mr_kernel", *queues, "type", "veth", "peer", "name", "mr_dpdk", *queues)
        self.addCleanup(run, "ip", "link", "del", "mr_kernel", check=False)
        switch_checksum_offload_off("mr_kernel")
        with open("/proc/sys/net/ipv6/conf/mr_dpdk/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")  # else the kernel speaks on our end, too
        run("ip", "link", "set", "mr_dpdk", "up")
        run("ip", "link", "set", "mr_kernel", "up")
        give_addresses("mr_kernel")
