#!/usr/bin/env python3
"""Runs eviction_lab over traces, and writes its figures as a table, and as a picture of each policy's mean against LRU.

    bench/eviction/lab.py                          # prints the tables
    bench/eviction/lab.py --document docs/eviction.md --picture docs/eviction.svg

The table replaces what stands between the document's two marks. Traces: those given, or all of MILLRACE_SHARED/traces.
"""
import argparse
import json
import math
import os
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(REPOSITORY, "build"))
LAB = os.path.join(BUILD, "bench", "eviction", "eviction_lab")
BEGIN, END = "<!-- lab: begin -->", "<!-- lab: end -->"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*")
    parser.add_argument("--share", action="append", type=float, help="of the footprint; default 0.01 and 0.10")
    parser.add_argument("--document", metavar="FILE")
    parser.add_argument("--picture", metavar="FILE")
    return parser.parse_args()


def find_traces():
    shared = os.environ.get("MILLRACE_SHARED", os.path.join(os.path.dirname(REPOSITORY), "shared"))
    folder = os.path.join(shared, "traces")
    if not os.path.isdir(folder):
        sys.exit(f"lab: {folder} is not there: name trace files, or their folder's parent in MILLRACE_SHARED")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".txt.gz"))


def measure(traces, shares):
    rows = []
    for trace in traces:
        words = [LAB, trace, "--json"] + [word for share in shares for word in ("--share", str(share))]
        for line in subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
            row = json.loads(line)
            row["name"] = os.path.basename(trace).split(".")[0] + ("" if row["sized"] else "*")
            rows.append(row)
    return rows


def geometric_mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def columns_of(row):
    return [("store", name) for name in row["store"]] + [("models", name) for name in row["models"]]


def means_against(rows, of):
    """Of each column, the mean over the traces of its misses to those of column `of`."""
    part, name = of
    return {column: geometric_mean([row[column[0]][column[1]] / row[part][name] for row in rows]) for column in columns_of(rows[0])}


def table(rows, share):
    columns = columns_of(rows[0])
    out = [f"Memory {share:.0%} of the footprint: share of requests that miss", "",
           "| trace | " + " | ".join(f"{'' if part == 'store' else 'model '}{name}" for part, name in columns) + " | optimum |",
           "|---|" + "---:|" * (len(columns) + 1)]
    for row in rows:
        figures = [f"{row[part][name]:.4f}" for part, name in columns]
        optimum = "" if row["optimal"] is None else f"{row['optimal']:.4f}"
        out.append(f"| {row['name']} ({row['arena_bytes'] >> 10} KiB) | " + " | ".join(figures) + f" | {optimum} |")
    for text, of in (("to `lru`", ("store", "lru")), ("to model lru", ("models", "lru"))):
        means = means_against(rows, of)
        out.append(f"| **mean {text}** | " + " | ".join(f"{means[column]:.3f}" for column in columns) + " | |")
        worst = [max(row[part][name] / row[of[0]][of[1]] for row in rows) for part, name in columns]
        out.append(f"| worst {text} | " + " | ".join(f"{figure:.3f}" for figure in worst) + " | |")
    return "\n".join(out) + "\n"


def picture(tables):
    """Bars, a group for each column: mean misses against the model LRU, one bar a share."""
    columns = columns_of(next(iter(tables.values()))[0])
    means = {share: means_against(rows, ("models", "lru")) for share, rows in tables.items()}
    top, scale, left, group = 1.6, 160, 60, 22 * len(tables) + 16
    height, width = int(top * scale) + 90, left + group * len(columns) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="16">misses against an LRU of the same bytes, mean over the traces; filled: the store, pale: models</text>']
    base = height - 60
    for line in (0.5, 1.0, 1.5):
        y = base - line * scale
        out.append(f'<line x1="{left}" y1="{y:.0f}" x2="{width - 10}" y2="{y:.0f}" stroke="{"#444" if line == 1 else "#ccc"}"/>'
                   f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{line}</text>')
    colours = ("#1f5fa8", "#d9822b", "#3a8a4d")
    for number, column in enumerate(columns):
        for place, share in enumerate(tables):
            mean = means[share][column]
            x, tall = left + number * group + 8 + place * 22, min(mean, top) * scale
            out.append(f'<rect x="{x}" y="{base - tall:.1f}" width="20" height="{tall:.1f}" fill="{colours[place % 3]}" '
                       f'fill-opacity="{1 if column[0] == "store" else 0.35}"><title>{column[1]} {share:.0%}: {mean:.3f}</title></rect>')
        x = left + number * group + group / 2
        out.append(f'<text x="{x:.0f}" y="{base + 14}" text-anchor="end" transform="rotate(-40 {x:.0f} {base + 14})">{column[1]}</text>')
    for place, share in enumerate(tables):
        out.append(f'<rect x="{width - 150}" y="{24 + 16 * place}" width="12" height="12" fill="{colours[place % 3]}"/>'
                   f'<text x="{width - 132}" y="{34 + 16 * place}">{share:.0%} of the footprint</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    arguments = parse_arguments()
    shares = arguments.share or [0.01, 0.10]
    rows = measure(arguments.traces or find_traces(), shares)
    tables = {share: [row for row in rows if row["share"] == share] for share in shares}
    text = "\n".join(table(of_share, share) for share, of_share in tables.items())
    print(text)
    if arguments.document:
        with open(arguments.document) as file:
            before, _, rest = file.read().partition(BEGIN)
        _, _, after = rest.partition(END)
        with open(arguments.document, "w") as file:
            file.write(f"{before}{BEGIN}\n{text}{END}{after}")
    if arguments.picture:
        with open(arguments.picture, "w") as file:
            file.write(picture(tables))


if __name__ == "__main__":
    main()
