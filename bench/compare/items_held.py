#!/usr/bin/env python3
"""How many items a server holds in a given memory: it is filled, key after key, until its first eviction."""
import argparse
import json
import os
import signal
import tempfile
import time

import load
import machine
from script import announced_machine, guarded
from servers import MILLRACE, Server, Trouble, named


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millrace", default=MILLRACE, help="the server built here; default %(default)s")
    parser.add_argument("--memcached", default="/usr/bin/memcached", help="what all are compared with; default %(default)s")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH",
                        help="another server, named as for compare.py; may be given several times")
    parser.add_argument("--without-millrace", action="store_true", help="compare only the others")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="-m of every server; default %(default)s")
    parser.add_argument("--key-bytes", type=int, default=30)
    parser.add_argument("--value-bytes", default="32,100,1024", help="sizes; default %(default)s")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--generator-core", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file")
    arguments = parser.parse_args()
    try:
        arguments.peer = [named(text) for text in arguments.peer]
        arguments.value_bytes = [int(text) for text in arguments.value_bytes.split(",")]
    except ValueError:
        parser.error("--peer is NAME=PATH, --value-bytes is a list of numbers")
    return arguments


def hold(arguments, server, value_bytes):
    """Fills `server` until it evicts; returns what it held then."""
    # More keys than fit even if an item cost nothing beside its key and value.
    keys = (arguments.memory << 20) // (arguments.key_bytes + value_bytes) + 100_000
    words = ["--mode", "fill", "--keys", keys, "--key-bytes", arguments.key_bytes, "--value-bytes", value_bytes,
             "--connections", 4, "--depth", 16]
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        process = load.start(server, arguments.generator_core, words, report)
        end = time.monotonic() + 600
        stats = server.stats()
        while int(stats["evictions"]) == 0 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
            stats = server.stats()
        resident = server.resident_bytes()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        result = load.finish(process, report, 60, accepts_failures=True)
    if int(stats["evictions"]) == 0:
        raise Trouble(f"{server.name} holds {stats['curr_items']} items and evicted none: {result['failures']}")
    return {"items": int(stats["curr_items"]), "evictions": int(stats["evictions"]), "resident_bytes": resident}


def fits_memory(arguments):
    needed = (arguments.memory << 20) * 1.3
    if needed > 0.9 * machine.available_bytes():
        raise Trouble(f"{machine.available_bytes() >> 20} MiB are available: give less --memory")


def run(arguments):
    chosen = [("memcached", arguments.memcached), *arguments.peer]
    if not arguments.without_millrace:
        chosen.append(("millrace", arguments.millrace))
    fits_memory(arguments)
    facts = announced_machine()
    print(f"-m {arguments.memory}, keys of {arguments.key_bytes} B\n")
    print(f"{'value':>7}  {'server':<12}{'items held':>12}{'ratio':>7}{'limit/item':>12}{'resident/item':>15}")
    rows = []
    for value_bytes in arguments.value_bytes:
        base = None
        for name, path in chosen:  # one at a time: each gets the machine's memory to itself
            with Server(name, path, arguments.memory, arguments.server_core) as server:
                held = hold(arguments, server, value_bytes)
                held |= {"server": name, "version": server.version(), "value_bytes": value_bytes}
            base = base or held["items"]
            held["ratio"] = held["items"] / base
            rows.append(held)
            print(f"{value_bytes:>7}  {name:<12}{held['items']:>12}{held['ratio']:>7.3f}"
                  f"{(arguments.memory << 20) / held['items']:>12.1f}{held['resident_bytes'] / held['items']:>15.1f}",
                  flush=True)
    print("\nlimit/item: -m divided by the items held; resident/item: the whole process's resident bytes, whatever the limit"
          "\ncounts, divided by the items held.")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "memory_mib": arguments.memory, "key_bytes": arguments.key_bytes, "rows": rows},
                      file, indent=1)


if __name__ == "__main__":
    guarded("items_held", run, parse_arguments())
