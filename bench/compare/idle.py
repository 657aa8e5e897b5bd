#!/usr/bin/env python3
"""What idle connections cost: memory of each beside the kernel's, and throughput that the busy ones lose.

Two servers of each kind run on one core; one of them has the idle connections. Busy connections load one at a time, in
short rounds that alternate. Idle connections come from addresses 127.0.1.x, since one address has no ports for so many.
"""
import argparse
import json
import resource
import selectors
import socket
import statistics
import time

import load
from script import announced_machine, guarded, quartiles
from servers import MILLRACE, Server, Trouble

PORTS_OF_ONE_ADDRESS = 20_000
CONNECTING_AT_ONCE = 256
IP_BIND_ADDRESS_NO_PORT = 24


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", default=MILLRACE, help="the server built here; default %(default)s")
    parser.add_argument("--memcached", default="/usr/bin/memcached", help="default %(default)s")
    parser.add_argument("--without", default="", metavar="NAMES", help="leave these out, such as memcached")
    parser.add_argument("--idle", type=int, default=50_000, help="connections; default %(default)s")
    parser.add_argument("--busy", type=int, default=64, help="connections; default %(default)s")
    parser.add_argument("--depth", type=int, default=16, help="requests in flight on a busy one; default %(default)s")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=11, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured in each round; default %(default)s")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write every round to this file")
    arguments = parser.parse_args()
    descriptors = arguments.idle + 1536  # ours, and the server's beside its own few
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < descriptors:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, max(hard, descriptors)))
        except (OSError, ValueError):
            parser.error(f"--idle {arguments.idle} needs {descriptors} open files, {hard} are allowed: ulimit -n, or fewer")
    return arguments


class Idle(Server):
    """A server that takes as many connections as are asked for."""

    def __init__(self, arguments, name, what, connections_max):
        super().__init__(name, what, 64 + arguments.keys // 2000, arguments.server_core)
        self.connections = []
        self.connections_max = connections_max

    def command(self):
        return [*super().command(), "-c", str(self.connections_max), "-b", "4096"]

    def connect(self, count):
        """Opens `count` connections, and asks each once, so that it is really there."""
        waiting = selectors.DefaultSelector()
        opened = answered = pending = 0
        end = time.monotonic() + 120
        while answered < count:
            while opened < count and pending < CONNECTING_AT_ONCE:
                one = socket.socket()
                one.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)  # a port that is free towards this server
                one.bind((f"127.0.1.{1 + opened // PORTS_OF_ONE_ADDRESS}", 0))
                one.connect(("127.0.0.1", self.port))
                one.sendall(b"mn\r\n")
                waiting.register(one, selectors.EVENT_READ)
                self.connections.append(one)
                opened += 1
                pending += 1
            for key, _ in waiting.select(1):
                if key.fileobj.recv(16) != b"MN\r\n":
                    raise Trouble(f"{self.name} refused connection {answered}: {self.said()}")
                waiting.unregister(key.fileobj)
                pending -= 1
                answered += 1
            if time.monotonic() > end:
                raise Trouble(f"{self.name} answered {answered} of {count} connections in time")

    def stop(self):
        for one in self.connections:
            one.close()
        self.connections = []
        super().stop()


def fill(arguments, server):
    load.run(server, arguments.generator_core, ["--mode", "fill", "--depth", 16, "--keys", arguments.keys], limit_s=120)
    server.wait_until_idle()


def measure(arguments, name, what):
    words = ["--mode", "get", "--keys", arguments.keys, "--connections", arguments.busy, "--depth", arguments.depth]
    alone = Idle(arguments, f"{name} alone", what, 1024)
    crowded = Idle(arguments, f"{name} crowded", what, arguments.idle + 512)
    rounds = []
    try:
        for server in (alone, crowded):
            server.start()
            fill(arguments, server)
        crowded.connect(arguments.idle)
        crowded.wait_until_idle()
        # Beside the one that was never to have so many: tables made at the start count too.
        per_connection = (crowded.resident_bytes() - alone.resident_bytes()) / arguments.idle
        for number in range(arguments.rounds):
            one = {}
            for server in (alone, crowded) if number % 2 == 0 else (crowded, alone):
                one[server.name] = load.measure(server, arguments.generator_core, [*words, "--seed", number + 1], 0.3,
                                                arguments.seconds)["requests_per_s"]
            rounds.append(one[crowded.name] / one[alone.name])
            print(f"  {name} round {number + 1}: {one[alone.name] / 1e3:.0f} k/s alone, {one[crowded.name] / 1e3:.0f} k/s"
                  f" beside {arguments.idle} idle", flush=True)
        held = int(crowded.stats()["curr_connections"])
        if held < arguments.idle:
            raise Trouble(f"{name} has only {held} connections left of {arguments.idle}")
    finally:
        alone.stop()
        crowded.stop()
    return {"bytes_per_connection": per_connection, "ratios": rounds}


def run(arguments):
    facts = announced_machine()
    chosen = [("memcached", arguments.memcached), ("millrace", arguments.millrace)]
    outcomes = {name: measure(arguments, name, what) for name, what in chosen
                if name not in arguments.without.split(",")}
    print(f"\n{'server':<12}{'resident B a connection':>25}{'busy throughput beside them':>30}{'quartiles':>14}")
    for name, outcome in outcomes.items():
        ratios = outcome["ratios"]
        low, high = quartiles(ratios)
        print(f"{name:<12}{outcome['bytes_per_connection']:>25.0f}{statistics.median(ratios):>30.3f}"
              f"{f'{low:.2f}..{high:.2f}':>14}")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "options": vars(arguments), "servers": outcomes}, file, indent=1)


if __name__ == "__main__":
    guarded("idle", run, parse_arguments())
