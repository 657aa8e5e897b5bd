"""What a result must carry: the machine, the kernel, the programs and the distance of the two cores."""
import json
import os
import subprocess

from servers import C2C, REPOSITORY, Trouble


def _first_line(path, wanted):
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(wanted):
                    return line.split(":", 1)[-1].strip()
    except OSError:
        pass
    return "unknown"


def _read(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def commit():
    done = subprocess.run(["git", "-C", REPOSITORY, "describe", "--always", "--dirty", "--abbrev=12"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def describe():
    uname = os.uname()
    return {
        "processor": _first_line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "is_virtual": "hypervisor" in _first_line("/proc/cpuinfo", "flags"),
        "kernel": f"{uname.sysname} {uname.release}",
        "congestion_control": _read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "memory_kib": _first_line("/proc/meminfo", "MemTotal"),
        "commit": commit(),
    }


def available_bytes():
    return int(_first_line("/proc/meminfo", "MemAvailable").split()[0]) * 1024


def load_average():
    return os.getloadavg()[0]


def core_distance_ns(here, there):
    """Round trip of a cache line between two cores; nothing on the same core."""
    if here == there:
        return None
    if not os.access(C2C, os.X_OK):
        raise Trouble(f"{C2C} is missing: build with ninja, or name the build folder in MILLRACE_BUILD")
    done = subprocess.run([C2C, str(here), str(there)], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Trouble(f"c2c: {done.stderr.strip()}")
    return json.loads(done.stdout)["round_trip_ns"]
