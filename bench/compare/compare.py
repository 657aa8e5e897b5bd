#!/usr/bin/env python3
"""The same workload on memcached, redis, other servers and Millrace, in one run on the same cores.

Every server is started fresh, filled with the same keys and left up; the generator on another core then loads one at a
time, in many short rounds that alternate between them, so that a machine that changes its speed changes it for all.
A figure is the median over rounds of the ratio to the first server in the same round.
"""
import argparse
import dataclasses
import json
import os
import statistics

import load
import machine
from script import announced_machine, guarded, quartiles
from servers import MILLRACE, Server, Trouble, named

FULL = 0.9  # a side that used this share of its core had nothing left to give
DISTURBED = 0.1  # a side that waited this share of the time for a core others had did not have it to itself


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    value_bytes: int
    words: tuple
    unit: str = "requests_per_s"
    half_of: str = ""  # open loop at half the rate that the first server reached in this row


ROWS = [
    Row("get-1", "GET 64 B, 1 in flight", 64, ("--mode", "get", "--depth", 1)),
    Row("get-16", "GET 64 B, 16 in flight", 64, ("--mode", "get", "--depth", 16)),
    Row("multiget-32", "GET of 32 keys, 64 B", 64, ("--mode", "multiget", "--depth", 1, "--keys-per-get", 32),
        "keys_per_s"),
    Row("set-16", "SET 64 B, 16 in flight", 64, ("--mode", "set", "--depth", 16)),
    Row("set-1", "SET 64 B, 1 in flight", 64, ("--mode", "set", "--depth", 1)),
    Row("half-1", "GET 64 B at a half", 64, ("--mode", "get", "--arrivals", "poisson"), "p99_us", "get-1"),
    Row("get-1k-1", "GET 1 KiB, 1 in flight", 1024, ("--mode", "get", "--depth", 1)),
    Row("get-1k-16", "GET 1 KiB, 16 in flight", 1024, ("--mode", "get", "--depth", 16)),
    Row("multiget-1k-32", "GET of 32 keys, 1 KiB", 1024, ("--mode", "multiget", "--depth", 1, "--keys-per-get", 32),
        "keys_per_s"),
]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", default=MILLRACE, help="the server built here; default %(default)s")
    parser.add_argument("--memcached", default="/usr/bin/memcached", help="what all are compared with; default %(default)s")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH",
                        help="another server: a program that takes memcached's options, or redis's when its name says so, "
                             "or a whole command line with {port}, {memory_mib} and {threads} in it; may be repeated")
    parser.add_argument("--redis", default="/usr/bin/redis-server", help="default %(default)s")
    parser.add_argument("--without", default="", metavar="NAMES", help="leave these out, such as redis,millrace")
    parser.add_argument("--threads", type=int, default=1, help="of each server; default %(default)s")
    parser.add_argument("--rows", default=",".join(row.name for row in ROWS), help="which to run; default %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="of each row; default %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="measured in each round; default %(default)s")
    parser.add_argument("--warmup-seconds", type=float, default=0.3, help="default %(default)s")
    parser.add_argument("--keys", type=int, default=1_000_000, help="of 64 B values; a quarter of it of 1 KiB values; default %(default)s")
    parser.add_argument("--key-bytes", type=int, default=30)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--udp", action="store_true",
                        help="memcached's protocol over UDP, a request a datagram: rows with 1 in flight, servers that have -U")
    parser.add_argument("--zipf", type=float, help="popularity of keys; default uniform")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="-m of every server; default %(default)s")
    parser.add_argument("--server-cores", type=core_list, default=[0], help="such as 0,1; default 0")
    parser.add_argument("--generator-cores", type=core_list, default=[1],
                        help="a generator thread on each; the servers' own share the cores with them; default 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write every round to this file")
    arguments = parser.parse_args()
    names = [row.name for row in ROWS]
    arguments.rows = [row for row in ROWS if row.name in arguments.rows.split(",")]
    if not arguments.rows:
        parser.error(f"--rows names none of {', '.join(names)}")
    if arguments.udp:
        arguments.rows = [row for row in arguments.rows if "get" in row.words or "set" in row.words]
        arguments.rows = [row for row in arguments.rows if "--depth" not in row.words or row.words[-1] == 1]
        arguments.without += ",redis"
        if not arguments.rows:
            parser.error("--udp leaves none of --rows")
    try:
        arguments.peer = [named(text) for text in arguments.peer]
    except ValueError:
        parser.error("--peer is NAME=PATH")
    for row in list(arguments.rows):
        if row.half_of and row.half_of not in [other.name for other in arguments.rows]:
            arguments.rows.insert(0, next(other for other in ROWS if other.name == row.half_of))
    return arguments


def core_list(text):
    return [int(word) for word in text.split(",")]


def make_servers(arguments):
    chosen = [("memcached", arguments.memcached), ("redis", arguments.redis), *arguments.peer,
              ("millrace", arguments.millrace)]
    chosen = [(name, what) for name, what in chosen if name not in arguments.without.split(",")]
    if len({name for name, _ in chosen}) != len(chosen):
        raise Trouble("two servers have one name: give each --peer a name of its own")
    return [Server(name, what, arguments.memory, arguments.server_cores, arguments.threads, arguments.udp)
            for name, what in chosen]


def keys_of(arguments, value_bytes):
    return arguments.keys if value_bytes < 512 else max(1, arguments.keys // 4)


def check_memory(arguments, servers, value_bytes):
    needed = len(servers) * keys_of(arguments, value_bytes) * (arguments.key_bytes + value_bytes + 150)
    if needed > 0.8 * machine.available_bytes():
        raise Trouble(f"{len(servers)} servers of {keys_of(arguments, value_bytes)} keys need about {needed >> 20} MiB,"
                      f" {machine.available_bytes() >> 20} MiB are available: give fewer --keys")


def workload_words(arguments, value_bytes):
    return ["--keys", keys_of(arguments, value_bytes), "--key-bytes", arguments.key_bytes, "--value-bytes", value_bytes,
            "--connections", arguments.connections]


def fill(arguments, server, value_bytes):
    words = ["--mode", "fill", "--depth", 16, *workload_words(arguments, value_bytes)]
    load.run(server, arguments.generator_cores, words, limit_s=300)
    held = server.items()
    wanted = keys_of(arguments, value_bytes)
    if held is not None and held < wanted:
        raise Trouble(f"{server.name} holds {held} of {wanted} keys: give it more --memory, or fewer --keys")
    if not server.wait_until_idle():
        print(f"  {server.name} is still busy with itself after the fill", flush=True)


def run_row(arguments, row, servers, outcomes):
    rounds = []
    words = [*row.words, *workload_words(arguments, row.value_bytes), *(["--udp"] if arguments.udp else [])]
    if row.half_of:
        peak = next(outcome for outcome in outcomes if outcome["row"] == row.half_of)
        base = servers[0].name
        words += ["--rate", round(statistics.median(one["results"][base]["requests_per_s"] for one in peak["rounds"]) / 2)]
    if arguments.zipf is not None:
        words += ["--zipf", arguments.zipf]
    for number in range(arguments.rounds):
        distance = machine.core_distance_ns(arguments.server_cores[0], arguments.generator_cores[-1])
        results = {}
        # There and back again, so that a drift favours nobody.
        for server in servers if number % 2 == 0 else reversed(servers):
            seeded = [*words, "--seed", arguments.seed + number]
            results[server.name] = load.measure(server, arguments.generator_cores, seeded, arguments.warmup_seconds,
                                                arguments.seconds)
        rounds.append({"core_distance_ns": distance, "results": results})
        shown = "  ".join(f"{server.name} {in_unit(results[server.name][row.unit], row.unit)}" for server in servers)
        print(f"  {row.name:<14} round {number + 1:>2}  {apart(distance)}  {shown}", flush=True)
    return {"row": row.name, "title": row.title, "unit": row.unit, "value_bytes": row.value_bytes, "rounds": rounds}


def apart(distance_ns):
    return "one core" if distance_ns is None else f"cores {distance_ns:.0f} ns apart"


def in_unit(value, unit):
    return f"{value:.0f} us" if unit.endswith("_us") else f"{value / 1e3:.0f} k/s"


def bound_by(medians, shares_cores):
    if shares_cores:
        return "shared cores"
    if max(medians["server_waited_share"], medians["generator_waited_share"]) >= DISTURBED:
        return "disturbed"
    server_full = medians["server_core_share"] >= FULL
    generator_full = medians["generator_core_share"] >= FULL
    if server_full and generator_full:
        return "both"
    if server_full:
        return "server"
    return "generator" if generator_full else "wake-ups"


def ratios_to(base, name, unit, rounds):
    return [one["results"][name][unit] / one["results"][base][unit] for one in rounds]


def summarize(outcome, name, base, shares_cores):
    """One server's line of one row."""
    unit = outcome["unit"]
    mine = [one["results"][name] for one in outcome["rounds"]]
    ratios = ratios_to(base, name, unit, outcome["rounds"])
    hit_ratios = [one["hit_ratio"] for one in mine if one["hit_ratio"] is not None]

    fields = ("p50_us", "p99_us", "p999_us", "server_core_share", "generator_core_share", "server_waited_share",
              "generator_waited_share")
    medians = {field: statistics.median(one[field] for one in mine) for field in fields}
    return {
        "value": statistics.median(one[unit] for one in mine),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": list(quartiles(ratios)),
        "ratio_range": [min(ratios), max(ratios)],
        "p999_ratio": statistics.median(ratios_to(base, name, "p999_us", outcome["rounds"])),
        "bound_by": bound_by(medians, shares_cores),
        "hit_ratio": min(hit_ratios) if hit_ratios else None,
        **medians,
    }


def print_table(outcomes, servers):
    base = servers[0].name
    print(f"\n{'row':<25}{'server':<12}{'k/s':>10}{'ratio':>7}{'quartiles':>14}{'range':>14}"
          f"{'p50 us':>8}{'p99 us':>9}{'p99.9 us':>10}{'server':>8}{'gener.':>8}  bound by")
    for outcome in outcomes:
        for server in servers:
            line = outcome["summary"][server.name]
            low, high = line["ratio_quartiles"]
            least, most = line["ratio_range"]
            tail = f", p99.9 ratio {line['p999_ratio']:.2f}" if outcome["unit"] == "p99_us" else ""
            missed = "" if line["hit_ratio"] in (None, 1.0) else f", {1 - line['hit_ratio']:.2%} misses"
            print(f"{outcome['title'] if server is servers[0] else '':<25}{server.name:<12}"
                  f"{in_unit(line['value'], outcome['unit']).removesuffix(' k/s'):>10}"
                  f"{line['ratio']:>7.2f}{f'{low:.2f}..{high:.2f}':>14}{f'{least:.2f}..{most:.2f}':>14}"
                  f"{line['p50_us']:>8.0f}{line['p99_us']:>9.0f}{line['p999_us']:>10.0f}"
                  f"{line['server_core_share']:>8.0%}{line['generator_core_share']:>8.0%}  {line['bound_by']}{tail}{missed}")
        distances = [one["core_distance_ns"] for one in outcome["rounds"] if one["core_distance_ns"] is not None]
        if distances:
            print(f"{'':<25}cores {statistics.median(distances):.0f} ns apart ({min(distances):.0f}..{max(distances):.0f})")
    print(f"\nRatios are to {base} in the same round: median, quartiles, range; `at a half` is open loop at half of what {base}"
          f"\nreached with 1 in flight, and its ratio is of p99: less is better. Bound by `generator`: the server may be"
          f"\nfaster than shown; `wake-ups`: neither side was busy all the time, the kernel's wake-ups were measured;"
          f"\n`disturbed`: others used one of the two cores, measure again.")


def run(arguments):
    servers = make_servers(arguments)
    facts = announced_machine()
    if machine.load_average() > 0.7 * (os.cpu_count() or 1):
        print(f"The load average is {machine.load_average():.1f}: others use this machine, and the figures will show it.")
    outcomes = []
    versions = {}
    for value_bytes in sorted({row.value_bytes for row in arguments.rows}):
        check_memory(arguments, servers, value_bytes)
        try:
            for server in servers:
                server.start()
                versions[server.name] = server.version()
                fill(arguments, server, value_bytes)
                print(f"  {server.name} {versions[server.name]} filled with {keys_of(arguments, value_bytes)} keys of"
                      f" {value_bytes} B, {server.resident_bytes() >> 20} MiB resident", flush=True)
            for row in arguments.rows:
                if row.value_bytes == value_bytes:
                    outcomes.append(run_row(arguments, row, servers, outcomes))
        finally:
            for server in servers:
                server.stop()
    shares_cores = bool(set(arguments.server_cores) & set(arguments.generator_cores))
    for outcome in outcomes:
        outcome["summary"] = {server.name: summarize(outcome, server.name, servers[0].name, shares_cores)
                              for server in servers}
    print_table(outcomes, servers)
    if arguments.json:
        options = {key: value for key, value in vars(arguments).items() if key != "rows"}
        with open(arguments.json, "w") as file:
            json.dump({"machine": facts, "versions": versions, "options": options, "rows": outcomes}, file, indent=1)


if __name__ == "__main__":
    guarded("compare", run, parse_arguments())
