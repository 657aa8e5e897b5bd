#!/usr/bin/env python3
"""The longest time that small GETs had to wait while something large went on.

A prober asks for one small key after the other on a connection of its own, on another core than the server's; both go before
others' processes where that is permitted. Beside its longest round trip stands the longest turn that the server itself
counted (`millrace_turn_longest_us`: no request of that core was served in between), and the longest round trip just before,
with nothing going on; and how long other processes had the server's core: if that is more than nothing, the longest turn may
be theirs. What the machine itself does to these figures says the first row: a loop on the server's core that only reads the
clock, while the other core is busy; a virtual machine's host takes a core away for milliseconds, and the guest sees no
more of it than such gaps. So each scenario has
such loops just before and just after it, one that reads the clock alone and one that also writes all over memory as a store
does; turns over a millisecond stand beside their gaps. Scenarios, each with a fresh server:

    machine no server: the loops
    large   a value of 128 MiB into a cache full of small items (-I 128m)
    expiry  a million items whose second is the same
    flush   flush_all of --flush-items small items, and what follows
    drift   values of 100 B, then 1 KiB, then 10 KiB, each several times the memory
    start   until the first answer, with --start-memory reserved and faulted in (no prober)
"""
import argparse
import gc
import json
import mmap
import multiprocessing
import os
import random
import socket
import time

import machine
from script import announced_machine, guarded
from servers import MILLRACE, Server, Trouble

SCENARIOS = ("machine", "large", "expiry", "flush", "drift", "start")
PROBED_KEY = b"the:probed:key"
BATCH = 2000
GAP_SECONDS = 4
GAP_MEMORY = 512 << 20


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", default=MILLRACE, help="default %(default)s")
    parser.add_argument("--memcached", help="measure this server too")
    parser.add_argument("--only", default=",".join(SCENARIOS), metavar="NAMES", help="default %(default)s")
    parser.add_argument("--memory", type=int, default=512, metavar="MIB", help="-m of large, expiry, drift; default %(default)s")
    parser.add_argument("--flush-items", type=int, default=20_000_000, help="default %(default)s")
    parser.add_argument("--flush-memory", type=int, default=3000, metavar="MIB", help="default %(default)s")
    parser.add_argument("--start-memory", type=int, default=8192, metavar="MIB", help="default %(default)s")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if not set(arguments.only) <= set(SCENARIOS):
        parser.error(f"--only names of {', '.join(SCENARIOS)}")
    return arguments


class Stalled(Server):
    def __init__(self, name, what, memory_mib, core, words=()):
        super().__init__(name, what, memory_mib, core)
        self.words = list(words)

    def command(self):
        return [*super().command(), *self.words]


def put_first(pid):
    """Gives the threads of a process the highest priority, so that less of others' work is counted. False: not permitted.

    No real-time one: a core that such a thread has for itself is taken from it for 50 ms of each second."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(task), -20)
    except PermissionError:
        return False
    return True


def probe(port, core, pipe):
    """Asks until told to stop; answers each b"mark" with (longest, second longest, count) in us since the last."""
    os.sched_setaffinity(0, [core])
    put_first(os.getpid())
    gc.disable()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b"get " + PROBED_KEY + b"\r\n"
        longest, count, waited = [], 0, 0.0
        clock = time.perf_counter
        while True:
            begin = clock()
            connection.sendall(request)
            answer = connection.recv(256)
            while not answer.endswith(b"END\r\n"):
                answer += connection.recv(256)
            took = clock() - begin
            count += 1
            waited += took
            if len(longest) < 5 or took > longest[-1]:
                longest = sorted([*longest, took], reverse=True)[:5]
            if count % 64 == 0:
                time.sleep(0.0002)  # the loader shares this core
                if pipe.poll():
                    if pipe.recv() == "stop":
                        return
                    pipe.send(([round(one * 1e6) for one in longest], count, waited / count * 1e6))
                    longest, count, waited = [], 0, 0.0


class Prober:
    def __init__(self, server, core):
        self.server = server
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=probe, args=(server.port, core, theirs), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        if self.process.is_alive():
            self.pipe.send("stop")
        self.process.join(2)
        self.process.kill()

    def mark(self):
        """What was seen since the last mark; the server's own count begins anew."""
        self.pipe.send("mark")
        if not self.pipe.poll(30):
            raise Trouble("the prober got no answer for half a minute")
        longest, count, mean = self.pipe.recv()
        stats = self.server.stats()
        self.server.ask(b"stats reset\r\n", b"RESET\r\n")
        return {"longest_us": longest, "gets": count, "mean_us": mean,
                **{ours: int(stats[f"millrace_{name}"]) if f"millrace_{name}" in stats else None
                   for ours, name in (("turn_us", "turn_longest_us"), ("turns_over_1ms", "turns_over_1ms"))}}


class Loader:
    """Sets without replies, in batches; `flush()` waits until they were carried out."""

    def __init__(self, port, core):
        os.sched_setaffinity(0, [core])
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.number = 0

    def fill(self, items, value_bytes, exptime=0):
        value = b"v" * value_bytes
        batch = b"".join(b"set k@@@@@@%04d 0 %d %d noreply\r\n%s\r\n" % (n, exptime, value_bytes, value)
                         for n in range(BATCH))
        for _ in range(0, items, BATCH):
            self.send_in_pieces(batch.replace(b"@@@@@@", b"%06d" % self.number))
            self.number += 1
        self.flush()

    def send_in_pieces(self, data):
        """The prober shares this core, and waits for one system call of 128 MiB half a second."""
        for at in range(0, len(data), 1 << 16):
            self.connection.sendall(data[at:at + (1 << 16)])

    def flush(self):
        self.ask(b"mn\r\n", b"MN\r\n")

    def ask(self, request, until):
        self.connection.sendall(request)
        answer = b""
        while not answer.endswith(until):
            got = self.connection.recv(4096)
            if not got:
                raise Trouble("the server closed the loader's connection")
            answer += got
        return answer


def prepared(server, loader):
    loader.ask(b"set " + PROBED_KEY + b" 0 0 10\r\n0123456789\r\n", b"\r\n")


def large(server, loader, arguments):
    loader.fill((arguments.memory << 20) // 100, 60)
    yield
    value = bytes((128 << 20) - 1024)  # and a header
    begin = time.perf_counter()
    loader.connection.sendall(b"set large 0 0 %d\r\n" % len(value))
    loader.send_in_pieces(value)
    said = loader.ask(b"\r\n", b"\r\n").strip().decode()
    yield f"{said} after {time.perf_counter() - begin:.2f} s"


def expiry(server, loader, arguments):
    at = int(time.time()) + 20
    loader.fill(1_000_000, 60, at)
    yield
    held = server.items()
    begin = time.time()
    while server.items() > held - 900_000 and time.time() < at + 60:
        time.sleep(0.05)
    yield f"{held} items, {server.items()} left {time.time() - at:.1f} s after their second" if time.time() > at \
        else f"the fill took too long: {begin - at:.1f} s"


def flush(server, loader, arguments):
    loader.fill(arguments.flush_items, 40)
    yield
    held = server.items()
    loader.ask(b"flush_all\r\n", b"OK\r\n")
    begin = time.time()
    while server.items() > held // 100 and time.time() < begin + 15:
        time.sleep(0.05)
    took = time.time() - begin
    loader.fill(500_000, 40)
    yield f"{held} items, {server.items()} now; {took:.1f} s until they were gone, then stored into"


def drift(server, loader, arguments):
    loader.fill((arguments.memory << 20) * 2 // 150, 100)
    yield
    loader.fill((arguments.memory << 20) * 2 // 1100, 1024)
    loader.fill((arguments.memory << 20) * 3 // 10_400, 10 * 1024)
    loader.fill((arguments.memory << 20) // 150, 100)
    yield f"{server.stats()['slabs_moved']} pages changed hands"


def rate_text(busy):
    return "" if busy["turns_over_1ms"] is None else f", {busy['turns_over_1ms'] / busy['seconds']:.1f} a second"


def measure(name, what, scenario, arguments):
    memory = arguments.flush_memory if scenario.__name__ == "flush" else arguments.memory
    words = ["-I", "128m"] if scenario.__name__ == "large" and name == "millrace" else []
    of_machine = both_gaps(arguments)
    with Stalled(name, what, memory, arguments.server_core, words) as server:
        put_first(server.process.pid)
        loader = Loader(server.port, arguments.generator_core)
        steps = scenario(server, loader, arguments)
        next(steps)
        prepared(server, loader)
        server.wait_until_idle(3)
        with Prober(server, arguments.generator_core) as prober:
            time.sleep(0.2)
            prober.mark()
            time.sleep(1)
            quiet = prober.mark()
            _, waited_before = server.core_use_ns()
            begin = time.perf_counter()
            said = next(steps)
            busy = prober.mark()
            busy["seconds"] = time.perf_counter() - begin
            busy["core_awaited_ms"] = (server.core_use_ns()[1] - waited_before) / 1e6
    of_machine += both_gaps(arguments)
    print(f"{scenario.__name__:<8}{name:<11}longest GET {busy['longest_us']} us, mean {busy['mean_us']:.0f} us of {busy['gets']};"
          f" longest turn {busy['turn_us']} us, {busy['turns_over_1ms']} over 1 ms in {busy['seconds']:.0f} s"
          f"{rate_text(busy)}; the machine's gaps: {gaps_text(of_machine)};"
          f" others had its core for {busy['core_awaited_ms']:.1f} ms;"
          f" before, quiet: {quiet['longest_us'][0]} us, turn {quiet['turn_us']} us; {said}",
          flush=True)
    return {"scenario": scenario.__name__, "server": name, "busy": busy, "quiet": quiet, "machine": of_machine,
            "said": said}


def spin(core, touches, pipe):
    """Reads the clock without end, and writes here and there if asked to; tells (longest gap in us, gaps over 1 ms)."""
    os.sched_setaffinity(0, [core])
    put_first(os.getpid())
    memory = mmap.mmap(-1, GAP_MEMORY)
    places = [random.randrange(GAP_MEMORY) for _ in range(1 << 16)]
    if touches:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, GAP_MEMORY, 4096):
            memory[at] = 1
    gc.disable()
    clock = time.perf_counter
    longest, over, at = 0.0, 0, 0
    last = clock()
    end = last + GAP_SECONDS
    while last < end:
        if touches:
            for place in places[at:at + 64]:
                memory[place] = 2
            at = (at + 64) % len(places)
        now = clock()
        longest = max(longest, now - last)
        over += now - last > 0.001
        last = now
    pipe.send((longest * 1e6, over))


def gaps(arguments, touches):
    """What the machine does to a thread that wants its core always, while another has the other core."""
    ours, theirs = multiprocessing.Pipe()
    unheard, unused = multiprocessing.Pipe()
    both = [multiprocessing.Process(target=spin, args=(core, touches, pipe), daemon=True)
            for core, pipe in ((arguments.generator_core, unused), (arguments.server_core, theirs))]
    for process in both:
        process.start()
    longest, over = ours.recv()
    for process in both:
        process.join()
    return {"longest_us": longest, "over_1ms_a_second": over / GAP_SECONDS, "touches": touches}


def both_gaps(arguments):
    return [gaps(arguments, touches) for touches in (False, True)]


def gaps_text(found):
    rates = [each["over_1ms_a_second"] for each in found]
    return (f"{sum(rates) / len(rates):.1f} a second ({min(rates):.1f} to {max(rates):.1f}), "
            f"longest {max(each['longest_us'] for each in found):.0f} us")


def start(name, what, arguments):
    server = Stalled(name, what, arguments.start_memory, arguments.server_core)
    begin = time.perf_counter()
    with server:
        took = time.perf_counter() - begin
        resident = server.resident_bytes()
    print(f"start   {name:<11}{took:.2f} s to the first answer with -m {arguments.start_memory}, {resident >> 20} MiB resident")
    return {"scenario": "start", "server": name, "seconds": took, "resident_bytes": resident}


def run(arguments):
    facts = announced_machine()
    if machine.available_bytes() < max(arguments.flush_memory, arguments.start_memory) * 1.2 * 2**20:
        raise Trouble("too little memory is free for --flush-memory or --start-memory")
    chosen = [("millrace", arguments.millrace)] + ([("memcached", arguments.memcached)] if arguments.memcached else [])
    rows = []
    if "machine" in arguments.only:
        found = both_gaps(arguments)
        print(f"machine            gaps over 1 ms: {gaps_text(found)}", flush=True)
        rows.append({"scenario": "machine", "machine": found})
    for scenario in (large, expiry, flush, drift):
        if scenario.__name__ in arguments.only:
            rows += [measure(name, what, scenario, arguments) for name, what in chosen
                     if name == "millrace" or scenario is not large]
    if "start" in arguments.only:
        rows += [start(name, what, arguments) for name, what in chosen]
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    guarded("stalls", run, parse_arguments())
