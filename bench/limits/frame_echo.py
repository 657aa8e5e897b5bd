#!/usr/bin/env python3
"""How many requests a second DPDK's drivers carry between two processes on this machine, with nothing between them and the wire.

    bench/limits/frame_echo.py                                   memif, 64-byte values
    bench/limits/frame_echo.py --port vhost --window 64 --request 40 --reply 110

The server (frame_echo, core 0) turns frames round, the client (core 1) keeps a window of them in flight. Prints one line of JSON
a round, with the distance of the two cores before and after: compare rounds of like distance only.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build"))


def limits(name):
    return os.path.join(BUILD, "bench", "limits", name)


def distance_ns(cores):
    done = subprocess.run([limits("c2c"), *map(str, cores)], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)["round_trip_ns"]


def measure(kind="memif", cores=(0, 1), window=256, request=40, reply=110, seconds=3, items=0):
    """One round: what the client says, and the distance of the cores around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        server_port, client_port = {
            "memif": (f"memif:{path},server", f"memif:{path}"),
            "vhost": (f"vhost:{path}", f"virtio-user:{path},packed_vq=1"),
        }[kind]
        before = distance_ns(cores)
        with subprocess.Popen([limits("frame_echo"), "server", server_port, str(cores[0]), *([str(items)] if items else [])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                while not (line := server.stdout.readline()).startswith("ready"):
                    if not line:
                        raise SystemExit("frame_echo: its server does not start")
                done = subprocess.run([limits("frame_echo"), "client", client_port, str(cores[1]), str(window), str(request),
                                       str(reply), str(seconds)], capture_output=True, text=True, timeout=seconds + 60)
            finally:
                server.stdin.close()
                server.wait(20)
        if done.returncode != 0:
            raise SystemExit(f"frame_echo: {done.stderr.strip()}")
        said = next(line for line in done.stdout.split("\n") if line.startswith("{"))
        return {**json.loads(said), "c2c_before_ns": before, "c2c_after_ns": distance_ns(cores)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", choices=("memif", "vhost"), default="memif")
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--request", type=int, default=40, help="UDP payload bytes of a request")
    parser.add_argument("--reply", type=int, default=110, help="UDP payload bytes of a reply")
    parser.add_argument("--items", type=int, default=0, help="the server also reads what a get of one of so many reads")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, nargs=2, default=(0, 1), metavar=("SERVER", "CLIENT"))
    wanted = parser.parse_args()
    for _ in range(wanted.rounds):
        print(json.dumps(measure(wanted.port, tuple(wanted.cores), wanted.window, wanted.request, wanted.reply, wanted.seconds,
                                 wanted.items)),
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
