#!/usr/bin/env python3
"""Gets over a DPDK port between two processes, beside a bare echo of the same frames and beside memcached over loopback.

    bench/compare/wire.py                         memif, 10 million keys, five rounds
    bench/compare/wire.py --port vhost --keys 1000000

One server core, one generator core. In each round, in turn: frame_echo (driver and nothing else on both sides); the same with
a server that reads what a get of one of so many uniform keys has to read, and does nothing else: what this machine allows any
server; bare_gets, which is the driver and our store and nothing between them, and then Millrace, both asked by frame_gets (a client that is nothing but the driver) with Zipf and with uniform keys; Millrace asked
by millrace-load over the same port; and memcached -t 1 over loopback by UDP and by TCP, asked by millrace-load with 64
connections. Who is not asked is stopped. Ratios are to the same round; a round in which the two cores' distance changed (c2c)
is marked and left out of the medians, since that distance decides how much any port carries.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "limits"))

import frame_echo  # noqa: E402
import load  # noqa: E402
import machine  # noqa: E402
import script  # noqa: E402
from servers import BUILD, MILLRACE, Server, Trouble  # noqa: E402

KEY_BYTES, VALUE_BYTES = 30, 64
REQUEST_BYTES = 8 + len("get \r\n") + KEY_BYTES
REPLY_BYTES = 8 + len("VALUE  12345 64\r\n\r\nEND\r\n") + KEY_BYTES + VALUE_BYTES
FRAME_GETS = os.path.join(BUILD, "bench", "limits", "frame_gets")
NEAR_NS = 200  # cores closer than this share a cache


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", choices=("memif", "vhost"), default="memif")
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--window", type=int, default=256, help="requests in flight over the port")
    parser.add_argument("--memcached", default="memcached", help="program to compare with; empty for none")
    parser.add_argument("--cores", type=int, nargs=2, default=(0, 1), metavar=("SERVER", "GENERATOR"))
    parser.add_argument("--json", help="write everything to this file")
    return parser.parse_args()


class Carded(Server):
    """Millrace with a port; stopped while others are measured, for it polls."""

    def __init__(self, folder, arguments, memory_mib):
        super().__init__("millrace", MILLRACE, memory_mib, arguments.cores[0])
        path = os.path.join(folder, "card")
        self.ours, self.theirs = {
            "memif": (f"memif:{path},server", f"memif:{path}"),
            "vhost": (f"vhost:{path}", f"virtio-user:{path},packed_vq=1"),
        }[arguments.port]

    def command(self):
        # The card's port 11211 is its own; the kernel's must be free.
        return [*super().command(), "-U", "11211", "--nic", self.ours, "--ip", "10.9.0.2/24", "--poll"]

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Bare:
    """bare_gets; stopped while others are measured."""

    process = None

    def __init__(self, folder, arguments):
        path = os.path.join(folder, "bare")
        ours, self.theirs = {
            "memif": (f"memif:{path},server", f"memif:{path}"),
            "vhost": (f"vhost:{path}", f"virtio-user:{path},packed_vq=1"),
        }[arguments.port]
        self.words = [os.path.join(BUILD, "bench", "limits", "bare_gets"), ours, str(arguments.cores[0]), str(arguments.keys)]

    def start(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        if not self.process.stdout.readline().startswith("ready"):
            raise Trouble("bare_gets does not start")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process is None:
            return
        self.resume()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


def ask_by_frames(server, arguments, order, seed):
    words = [FRAME_GETS, server.theirs, arguments.cores[1], arguments.window, arguments.keys, order, arguments.seconds, seed]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=arguments.seconds + 60)
    if done.returncode != 0:
        raise Trouble(f"frame_gets: {done.stderr.strip()}")
    said = json.loads(next(line for line in done.stdout.split("\n") if line.startswith("{")))
    if said["hit_share"] < 1 or said["lost"] > 0:
        print(f"  {order}: hit share {said['hit_share']}, lost {said['lost']}", file=sys.stderr)
    return said["gets_per_s"]


def words_of(arguments, order):
    popularity = ["--zipf", "0.99"] if order == "zipf" else []
    return ["--mode", "get", "--keys", arguments.keys, "--key-bytes", KEY_BYTES, "--value-bytes", VALUE_BYTES, *popularity]


def ask_by_generator(server, arguments):
    words = [*words_of(arguments, "zipf"), "--udp", "--nic", server.theirs, "--nic-ip", "10.9.0.3/24", "--connections", "256",
             "--seconds", arguments.seconds, "--warmup-seconds", "0.3"]
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = load.command(server, arguments.cores[1], [*words, "--json", report])
        command[command.index("--server") + 1] = "10.9.0.2:11211"
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.seconds + 90)
        if done.returncode != 0:
            raise Trouble(f"millrace-load --nic ({done.returncode}): {(done.stderr + done.stdout).strip()[-500:]}")
        with open(report) as file:
            return json.load(file)["phases"][0]["requests_per_s"]


def ask_memcached(server, arguments, words):
    return load.measure(server, arguments.cores[1], [*words_of(arguments, "zipf"), "--connections", "64", *words], 0.3,
                        arguments.seconds)["requests_per_s"]


def fill(server, arguments):
    load.run(server, arguments.cores[1], ["--mode", "fill", "--keys", arguments.keys, "--key-bytes", KEY_BYTES,
                                          "--value-bytes", VALUE_BYTES, "--connections", 8, "--depth", 32], 600)


def distance_ns(arguments):
    return machine.core_distance_ns(*arguments.cores)


def measure_round(number, server, bare, memcached, arguments):
    found, distances = {}, [distance_ns(arguments)]

    def row(name, ask):
        found[name] = ask()
        distances.append(distance_ns(arguments))

    def echo(items):
        return frame_echo.measure(arguments.port, tuple(arguments.cores), arguments.window, REQUEST_BYTES, REPLY_BYTES,
                                  arguments.seconds, items)["replies_per_s"]

    row("echo", lambda: echo(0))
    row("echo that reads", lambda: echo(arguments.keys))
    for name, asked in (("driver and store", bare), ("millrace", server)):
        if name == "millrace":
            bare.pause()
        asked.resume()
        # Not counted: where another process has just used a gigabyte, finding this one's pages again takes a virtual machine a
        # second or so, in which gets are a fifth slower.
        ask_by_frames(asked, arguments, "uniform", number + 1)
        for order in ("zipf", "uniform"):
            row(f"{name} {order}", lambda asked=asked, order=order: ask_by_frames(asked, arguments, order, number + 1))
    row("millrace by millrace-load", lambda: ask_by_generator(server, arguments))
    server.pause()
    if memcached is not None:
        row("memcached UDP", lambda: ask_memcached(memcached, arguments, ["--udp"]))
        row("memcached TCP", lambda: ask_memcached(memcached, arguments, []))
        row("memcached TCP, 16 in flight", lambda: ask_memcached(memcached, arguments, ["--depth", 16]))
    is_near = [distance < NEAR_NS for distance in distances]
    place = "near" if all(is_near) else "far" if not any(is_near) else "moved"
    print(f"round {number}: cores {place} ({', '.join(f'{d:.0f}' for d in distances)} ns): "
          + ", ".join(f"{name} {rate / 1e6:.2f} M/s" for name, rate in found.items()), flush=True)
    return {"rates": found, "distances_ns": distances, "place": place}


def table(rounds):
    for place in ("near", "far"):
        chosen = [each["rates"] for each in rounds if each["place"] == place]
        if not chosen:
            continue
        print(f"\ncores {place}: {len(chosen)} rounds, medians (quartiles of the ratios)")
        for name in chosen[0]:
            words = [f"{name:<30} {statistics.median(each[name] for each in chosen) / 1e6:6.2f} M/s"]
            own = f"driver and store {name.split()[-1]}"
            for base in ("echo", "echo that reads", own, "memcached UDP", "memcached TCP", "memcached TCP, 16 in flight"):
                is_limit = name == "echo that reads" or name.startswith("driver")
                if base in chosen[0] and base != name and (name.startswith("millrace") or base == "echo" and is_limit):
                    ratios = [each[name] / each[base] for each in chosen]
                    low, high = script.quartiles(ratios)
                    words.append(f"{statistics.median(ratios):.2f} x {base} ({low:.2f} to {high:.2f})")
            print("  " + "; ".join(words))


def run(arguments):
    facts = script.announced_machine()
    memory_mib = arguments.keys * 170 // 2**20 + 192
    if machine.available_bytes() < 3.2 * memory_mib * 2**20:
        raise Trouble(f"{arguments.keys} keys in three servers need {3 * memory_mib} MiB: take fewer --keys")
    rounds = []
    with tempfile.TemporaryDirectory() as folder, Carded(folder, arguments, memory_mib) as server:
        fill(server, arguments)
        server.pause()
        bare = Bare(folder, arguments)
        memcached = Server("memcached", arguments.memcached, memory_mib, arguments.cores[0], serves_udp=True) \
            if arguments.memcached else None
        try:
            bare.start()
            bare.pause()
            if memcached is not None:
                fill(memcached.start(), arguments)
            for number in range(arguments.rounds):
                rounds.append(measure_round(number, server, bare, memcached, arguments))
        finally:
            bare.stop()
            server.resume()
            if memcached is not None:
                memcached.stop()
            time.sleep(0.1)
    table(rounds)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "arguments": vars(arguments), "rounds": rounds}, file, indent=1)
    return True


if __name__ == "__main__":
    script.guarded("wire.py", run, parse_arguments())
