#!/usr/bin/env python3
"""How many requests miss in the same memory: memcached, redis (allkeys-lru, allkeys-lfu) and Millrace, side by side.

Each trace is replayed read-through (get; set what was missed), from an empty cache, with 17-byte keys, by one connection
with --depth requests in flight. A limit does not mean the same to each: memcached's leaves out hash table and buffers,
redis's what malloc wastes, Millrace's nothing of the cache. So memcached gets the row's limit, and its resident memory at the
end of the trace (VmRSS, the whole process) is what the others may have: each is run again with another limit, in whole MiB,
until it ends with no more than that and at most 1 % (or 1 MiB) less, or --runs are over. What was reached is printed. The first
limit is one that fitted before (FIRST_LIMITS), so that most need a single run.
Traces are those of MILLRACE_SHARED/traces or ../shared/traces, and one that is drawn: 5 million keys, Zipf 0.99, value sizes
of Facebook's ETC pool. (One file a trace: the generator names keys by the order in which a file brings them.)
"""
import argparse
import itertools
import json
import math
import os
import random
import tempfile

import load
from script import announced_machine, guarded
from servers import MILLRACE, REPOSITORY, Server, Trouble

ROWS = {"cphy_io-192": ("cphy_io", 192), "cphy_io-64": ("cphy_io", 64), "leader-64": ("meta_leader_assoc", 64), "etc-256": (None, 256)}
# What fitted on the author's machine; another one only needs more runs.
FIRST_LIMITS = {
    ("cphy_io-192", "redis-lru"): 147, ("cphy_io-192", "redis-lfu"): 143, ("cphy_io-192", "millrace"): 184,
    ("cphy_io-64", "redis-lru"): 45, ("cphy_io-64", "redis-lfu"): 48, ("cphy_io-64", "millrace"): 57,
    ("leader-64", "redis-lru"): 49, ("leader-64", "redis-lfu"): 49, ("leader-64", "millrace"): 57,
    ("etc-256", "millrace"): 256,
}
SERVERS = {
    "memcached": "memcached",
    "redis-lru": "redis-server",
    "redis-lfu": "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --maxmemory {memory_mib}mb "
                 "--maxmemory-policy allkeys-lfu --protected-mode no",
    "millrace": MILLRACE,
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", choices=ROWS, help="default: all")
    parser.add_argument("--only", action="append", choices=SERVERS, help="default: all servers")
    parser.add_argument("--requests", type=int, default=15_000_000, help="of the drawn trace; default %(default)s")
    parser.add_argument("--depth", type=int, default=16, help="requests in flight; default %(default)s")
    parser.add_argument("--runs", type=int, default=4, help="at most, for a server and row; default %(default)s")
    parser.add_argument("--equal-limits", action="store_true", help="the same limit for all instead of the same resident memory")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def draw_etc(path, requests, keys=5_000_000, seed=1):
    """Generalized Pareto sizes (Atikoglu et al., SIGMETRICS 2012): sigma 214.476, k 0.348238."""
    prng = random.Random(seed)
    sums = list(itertools.accumulate((n + 1) ** -0.99 for n in range(keys)))
    sizes = [min(max(int(214.476 / 0.348238 * (math.pow(1 - prng.random(), -0.348238) - 1)), 1), 1_000_000)
             for _ in range(keys)]
    with open(path, "w") as file:
        for begin in range(0, requests, 100_000):
            drawn = prng.choices(range(keys), cum_weights=sums, k=min(100_000, requests - begin))
            file.write("".join([f"{key} {sizes[key]}\n" for key in drawn]))


def trace_path(name, folder, requests):
    if name is None:
        path = os.path.join(folder, "etc.txt")
        draw_etc(path, requests)
        return path
    shared = os.environ.get("MILLRACE_SHARED", os.path.join(os.path.dirname(REPOSITORY), "shared"))
    path = os.path.join(shared, "traces", name + ".txt.gz")
    if not os.path.exists(path):
        raise Trouble(f"{path} is not there: name its folder's parent in MILLRACE_SHARED")
    return path


def replay(arguments, what, path, memory_mib):
    words = ["--mode", "replay", "--key-bytes", 17, "--depth", arguments.depth, "--connections", 1, "--trace", path]
    with Server("server", what, memory_mib, arguments.server_core) as server:
        result = load.run(server, arguments.generator_core, words, limit_s=1800, accepts_failures=True)
        phase = result["phases"][0]
        server.wait_until_idle(3)
        return {"limit_mib": memory_mib,
                "misses": 1 - phase["hit_ratio"],
                "resident_bytes": server.resident_bytes(),
                "failures": result["failures"]["total"],
                "is_complete": phase["complete"]}


def next_limit_mib(runs, resident_bytes):
    """On the line through the last two runs, or through the last one and nothing; rounded down."""
    last, before = runs[-1], runs[-2] if len(runs) > 1 else {"limit_mib": 0, "resident_bytes": 0}
    grew = last["resident_bytes"] - before["resident_bytes"]
    if grew * (last["limit_mib"] - before["limit_mib"]) <= 0:
        before, grew = {"limit_mib": 0}, last["resident_bytes"]
    by_byte = (last["limit_mib"] - before["limit_mib"]) / grew
    return max(1, int(last["limit_mib"] + (resident_bytes - last["resident_bytes"]) * by_byte))


def replay_within(arguments, what, path, memory_mib, resident_bytes):
    """With the limit that makes it as large as that; the best of the runs that are not larger, or the smallest."""
    runs = []
    for _ in range(1 if resident_bytes is None else arguments.runs):
        runs.append(replay(arguments, what, path, memory_mib))
        if resident_bytes is None or fits(runs[-1]["resident_bytes"], resident_bytes):
            break
        memory_mib = next_limit_mib(runs, resident_bytes)
        if memory_mib in [run["limit_mib"] for run in runs]:
            break
    fitting = [run for run in runs if resident_bytes is None or run["resident_bytes"] <= resident_bytes]
    return max(fitting, key=lambda run: run["resident_bytes"]) if fitting else min(runs, key=lambda run: run["resident_bytes"])


def fits(took_bytes, resident_bytes):
    return resident_bytes - max(resident_bytes // 100, 1 << 20) <= took_bytes <= resident_bytes


def run(arguments):
    facts = announced_machine()
    names = ["memcached", *[name for name in arguments.only or SERVERS if name != "memcached"]]
    print("\nshare of requests that miss; limit and resident MiB (!: not within 1 % or 1 MiB)\n" + f"{'row':<14}" + "".join(f"{name:>30}" for name in names))
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in arguments.row or ROWS:
            trace, memory_mib = ROWS[row]
            path = trace_path(trace, folder, arguments.requests)
            rows[row] = {}
            print(f"{row:<14}", end="", flush=True)
            for name in names:
                resident_bytes = rows[row]["memcached"]["resident_bytes"] if rows[row] and not arguments.equal_limits else None
                first_mib = FIRST_LIMITS.get((row, name), memory_mib) if resident_bytes is not None else memory_mib
                ran = rows[row][name] = replay_within(arguments, SERVERS[name], path, first_mib, resident_bytes)
                misfit = "" if resident_bytes is None or fits(ran["resident_bytes"], resident_bytes) else "!"
                told = f"{ran['misses']:.4f}"
                print(f"{told:>14} ({ran['limit_mib']:>4},{ran['resident_bytes'] / 2**20:>7.1f}){misfit}", end="", flush=True)
            others = min(ran["misses"] for name, ran in rows[row].items() if name != "millrace")
            print(f"  {rows[row]['millrace']['misses'] / others:.3f} of the best other" if "millrace" in names else "")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "rows": rows}, file, indent=1)
    return all(ran["failures"] == 0 and ran["is_complete"] for of_row in rows.values() for ran in of_row.values())


if __name__ == "__main__":
    guarded("misses", run, parse_arguments())
