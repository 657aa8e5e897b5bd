#!/usr/bin/env python3
"""Replays cache traces read-through (get; set what was missed) against a server, and prints its hit ratio beside that of
a model of a 2-bit CLOCK in the same memory. Fails when a replay does not run to its end without an error.

Traces are files of `key value_size [ttl op]` lines, plain or gzip: those given, or all of MILLRACE_SHARED/traces.
"""
import argparse
import gzip
import json
import os

import load
from script import announced_machine, guarded
from servers import MILLRACE, REPOSITORY, Server, Trouble

ITEM_BYTES = 22  # what the model reckons an item costs beside key and value
MEMORY_MIB_MIN = 8


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", help="files; default all of MILLRACE_SHARED/traces")
    parser.add_argument("--server", default=MILLRACE, help="any server that takes memcached's options; default %(default)s")
    parser.add_argument("--share", type=float, default=0.10, help="memory as a share of a trace's footprint; default %(default)s")
    parser.add_argument("--memory", type=int, metavar="MIB", help="the same memory for all instead")
    parser.add_argument("--key-bytes", type=int, default=17)
    parser.add_argument("--depth", type=int, default=16)
    parser.add_argument("--requests", type=int, help="only so many records of each trace")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    return parser.parse_args()


def find_traces():
    shared = os.environ.get("MILLRACE_SHARED", os.path.join(os.path.dirname(REPOSITORY), "shared"))
    folder = os.path.join(shared, "traces")
    if not os.path.isdir(folder):
        raise Trouble(f"{folder} is not there: name trace files, or their folder's parent in MILLRACE_SHARED")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith((".txt", ".txt.gz")))


def footprint_bytes(path, key_bytes, requests):
    """Bytes of all items together, each key counted once with the size it first had."""
    sizes = {}
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        for number, line in enumerate(file):
            if requests and number >= requests:
                break
            words = line.split(None, 2)
            if len(words) >= 2:
                sizes.setdefault(words[0], int(words[1]))
    return sum(sizes.values()) + len(sizes) * (key_bytes + ITEM_BYTES)


def replay(arguments, path):
    memory_mib = arguments.memory
    if not memory_mib:
        wanted = arguments.share * footprint_bytes(path, arguments.key_bytes, arguments.requests)
        memory_mib = max(MEMORY_MIB_MIN, round(wanted / (1 << 20)))
    words = ["--mode", "replay", "--trace", path, "--model-memory", memory_mib << 20, "--key-bytes", arguments.key_bytes,
             "--depth", arguments.depth, "--verify"]
    if arguments.requests:
        words += ["--requests", arguments.requests]
    with Server("server", arguments.server, memory_mib, arguments.server_core) as server:
        result = load.run(server, arguments.generator_core, words, limit_s=900, accepts_failures=True)
        version = server.version()
        resident = server.resident_bytes()
        evictions = int(server.stats().get("evictions", 0))
    phase, failures = result["phases"][0], result["failures"]
    return {
        "trace": os.path.basename(path).removesuffix(".gz").removesuffix(".txt"),
        "version": version,
        "memory_mib": memory_mib,
        "resident_bytes": resident,
        "records": phase["records_replayed"],
        "gets": phase["keys_asked"],
        "hit_ratio": phase["hit_ratio"],
        "model_hit_ratio": result["model"]["hit_ratio"] if "model" in result else None,
        "not_stored": phase["not_stored"],
        "evictions": evictions,
        "seconds": phase["seconds"],
        "failures": failures,
        "is_complete": phase["complete"] and failures["total"] == 0,
    }


def run(arguments):
    facts = announced_machine()
    print(f"\n{'trace':<20}{'-m MiB':>7}{'RSS MiB':>9}{'gets':>10}{'evictions':>11}{'hit ratio':>11}{'model':>9}"
          f"{'difference':>12}{'seconds':>9}  errors")
    rows = []
    for path in arguments.traces or find_traces():
        row = replay(arguments, path)
        rows.append(row)
        model = row["model_hit_ratio"]
        compared = f"{model:>9.4f}{row['hit_ratio'] - model:>+12.4f}" if model is not None else f"{'-':>9}{'-':>12}"
        errors = "none" if row["is_complete"] else f"FAILED: {row['failures']}"
        print(f"{row['trace']:<20}{row['memory_mib']:>7}{row['resident_bytes'] >> 20:>9}{row['gets']:>10}"
              f"{row['evictions']:>11}{row['hit_ratio']:>11.4f}{compared}{row['seconds']:>9.1f}  {errors}", flush=True)
    print("\nmodel: 2-bit CLOCK over the same requests, its memory all for items of key + value + 22 bytes; no size classes,"
          "\nwhich cost a slab store some 10 % of its memory, and no expiry.")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "key_bytes": arguments.key_bytes, "rows": rows}, file, indent=1)
    return all(row["is_complete"] for row in rows)


if __name__ == "__main__":
    guarded("replay", run, parse_arguments())
