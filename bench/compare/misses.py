#!/usr/bin/env python3
"""How many requests miss in the same memory: memcached, redis (allkeys-lru, allkeys-lfu) and Millrace, side by side.

Each trace is replayed read-through (get; set what was missed), from an empty cache, with 17-byte keys, by one connection. All
are given the same limit; what each then really uses is printed beside it. Traces are those of MILLRACE_SHARED/traces or
../shared/traces, and one that is drawn: 5 million keys, Zipf 0.99, value sizes of Facebook's ETC pool.
"""
import argparse
import bisect
import gzip
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
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def draw_etc(path, requests, keys=5_000_000, seed=1):
    """Generalized Pareto sizes (Atikoglu et al., SIGMETRICS 2012): sigma 214.476, k 0.348238."""
    prng = random.Random(seed)
    sums = list(itertools.accumulate((n + 1) ** -0.99 for n in range(keys)))
    with gzip.open(path, "wt", compresslevel=1) as file:
        for _ in range(requests):
            key = bisect.bisect(sums, prng.random() * sums[-1])
            u = random.Random(key ^ 0x5eed).random()
            size = int(214.476 / 0.348238 * (math.pow(1 - u, -0.348238) - 1))
            file.write(f"{key} {min(max(size, 1), 1_000_000)}\n")


def trace_path(name, folder, requests):
    if name is None:
        path = os.path.join(folder, "etc.txt.gz")
        if not os.path.exists(path):
            draw_etc(path, requests)
        return path
    shared = os.environ.get("MILLRACE_SHARED", os.path.join(os.path.dirname(REPOSITORY), "shared"))
    path = os.path.join(shared, "traces", name + ".txt.gz")
    if not os.path.exists(path):
        raise Trouble(f"{path} is not there: name its folder's parent in MILLRACE_SHARED")
    return path


def replay(arguments, what, path, memory_mib):
    words = ["--mode", "replay", "--trace", path, "--key-bytes", 17, "--depth", 1, "--connections", 1]
    with Server("server", what, memory_mib, arguments.server_core) as server:
        result = load.run(server, arguments.generator_core, words, limit_s=1800, accepts_failures=True)
        return 1 - result["phases"][0]["hit_ratio"], server.resident_bytes() >> 20, result["failures"]["total"]


def run(arguments):
    facts = announced_machine()
    names = arguments.only or list(SERVERS)
    print(f"\nshare of requests that miss (resident MiB)\n{'row':<14}" + "".join(f"{name:>22}" for name in names))
    rows = {}
    is_clean = True
    with tempfile.TemporaryDirectory() as folder:
        for row in arguments.row or ROWS:
            trace, memory_mib = ROWS[row]
            path = trace_path(trace, folder, arguments.requests)
            rows[row] = {}
            for name in names:
                misses, resident_mib, failures = replay(arguments, SERVERS[name], path, memory_mib)
                is_clean = is_clean and failures == 0
                rows[row][name] = {"misses": misses, "resident_mib": resident_mib, "failures": failures}
            print(f"{row:<14}" + "".join(f"{r['misses']:>12.4f} ({r['resident_mib']:>4} MiB)" for r in rows[row].values()), flush=True)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "rows": rows}, file, indent=1)
    return is_clean


if __name__ == "__main__":
    guarded("misses", run, parse_arguments())
