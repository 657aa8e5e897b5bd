#!/usr/bin/env python3
"""The machine's own limits beside Millrace, in one run and on the same two cores.

Three servers are loaded in rounds that alternate: a bare io_uring server that answers every line with one constant value,
the same over Millrace's transport, and Millrace, filled, with all keys found. So bare:transport is what the transport
costs, transport:millrace what parsing, hashing and memory cost. Memory and lanes are measured between the rounds.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compare"))

import load  # noqa: E402
import machine  # noqa: E402
from script import announced_machine, guarded, quartiles  # noqa: E402
from servers import BUILD, MILLRACE, Server, Trouble, _die_with_parent, core_use_ns  # noqa: E402

DEPTHS = (1, 16)


class Answerer:
    """A server that only answers; has of Server what load.measure() asks for."""
    protocol = "text"
    threads = 1

    def __init__(self, name, words, core, value_bytes):
        self.name = name
        command = [os.path.join(BUILD, "bench", "limits", "answerer"), *words, "0", str(value_bytes)]

        def prepare():
            os.sched_setaffinity(0, {core})
            _die_with_parent()

        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                                        preexec_fn=prepare)
        port = self.process.stdout.readline().strip()
        if not port:
            raise Trouble(f"{name} does not start: {' '.join(command)}")
        self.port = int(port)

    def core_use_ns(self):
        return core_use_ns(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def program(name, *words):
    command = [os.path.join(BUILD, "bench", "limits", name), *[str(word) for word in words]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Trouble(f"{name}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", default=MILLRACE, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=0.8, help="measured in each round; default %(default)s")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--key-bytes", type=int, default=30)
    parser.add_argument("--value-bytes", type=int, default=64)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="-m, and the range of memory reads")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write every round to this file")
    return parser.parse_args()


def fill(arguments, server, words):
    load.run(server, arguments.generator_core, ["--mode", "fill", "--depth", 16, *words], limit_s=300)
    server.wait_until_idle()


def measure(arguments):
    words = ["--keys", arguments.keys, "--key-bytes", arguments.key_bytes, "--value-bytes", arguments.value_bytes,
             "--connections", arguments.connections]
    rounds = []
    millrace = Server("millrace", arguments.millrace, arguments.memory, arguments.server_core)
    servers = [millrace]
    try:
        servers.insert(0, Answerer("transport", [], arguments.server_core, arguments.value_bytes))
        servers.insert(0, Answerer("bare io_uring", ["--bare"], arguments.server_core, arguments.value_bytes))
        millrace.start()
        fill(arguments, millrace, words)
        for number in range(arguments.rounds):
            one = {"memory": program("memory", arguments.server_core, arguments.memory),
                   "handover": program("handover", arguments.server_core, arguments.generator_core),
                   "core_distance_ns": machine.core_distance_ns(arguments.server_core, arguments.generator_core)}
            for depth in DEPTHS:
                for server in servers if number % 2 == 0 else reversed(servers):
                    one[f"{server.name}/{depth}"] = load.measure(
                        server, arguments.generator_core,
                        ["--mode", "get", "--depth", depth, "--seed", number + 1, *words], 0.2, arguments.seconds)
            rounds.append(one)
            print(f"  round {number + 1:>2}: " + "  ".join(
                f"{name} {value['requests_per_s'] / 1e3:.0f}" for name, value in one.items() if "/" in name), flush=True)
    finally:
        for server in servers:
            server.stop()
    return rounds


def median(rounds, *path):
    values = []
    for one in rounds:
        for name in path:
            one = one[name]
        values.append(one)
    return statistics.median(values)


def print_table(rounds):
    print(f"\n{'loopback':<16}{'in flight':>10}{'k requests/s':>14}{'of bare':>9}{'quartiles':>14}{'server':>8}{'gener.':>8}")
    for depth in DEPTHS:
        for name in ("bare io_uring", "transport", "millrace"):
            key = f"{name}/{depth}"
            shares = [one[key]["requests_per_s"] / one[f"bare io_uring/{depth}"]["requests_per_s"] for one in rounds]
            low, high = quartiles(shares)
            print(f"{name:<16}{depth:>10}{median(rounds, key, 'requests_per_s') / 1e3:>14.0f}"
                  f"{statistics.median(shares):>9.2f}{f'{low:.2f}..{high:.2f}':>14}"
                  f"{median(rounds, key, 'server_core_share'):>8.0%}{median(rounds, key, 'generator_core_share'):>8.0%}")
    print(f"\nmemory, over {rounds[0]['memory']['mib']} MiB:"
          f" a dependent read {median(rounds, 'memory', 'dependent_read_ns'):.0f} ns,"
          f" two of them {median(rounds, 'memory', 'dependent_pairs_per_s') / 1e6:.2f} M/s;"
          f" asked for 64 at a time {median(rounds, 'memory', 'batched_pairs_per_s') / 1e6:.2f} M/s;"
          f" copies {median(rounds, 'memory', 'copy_gb_per_s'):.1f} GB/s")
    print("lane to another core, 128 B messages: " + ", ".join(
        f"{median(rounds, 'handover', f'batch_{batch}_per_s') / 1e6:.1f} M/s in batches of {batch}"
        for batch in (1, 16, 64)) + f"; cores {median(rounds, 'core_distance_ns'):.0f} ns apart")


def run(arguments):
    facts = announced_machine()
    rounds = measure(arguments)
    print_table(rounds)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "options": vars(arguments), "rounds": rounds}, file, indent=1)


if __name__ == "__main__":
    guarded("limits", run, parse_arguments())
