"""Runs millrace-load against a server and says what each side used of its core meanwhile."""
import json
import os
import subprocess
import tempfile
import time

from servers import LOAD, Trouble, _die_with_parent


def command(server, cores, words):
    if not os.access(LOAD, os.X_OK):
        raise Trouble(f"{LOAD} is missing: build with ninja, or name the build folder in MILLRACE_BUILD")
    cores = [cores] if isinstance(cores, int) else cores
    return [LOAD, "--server", f"127.0.0.1:{server.port}", "--protocol", server.protocol, "--threads", str(len(cores)),
            "--cores", ",".join(str(core) for core in cores), *[str(word) for word in words]]


def start(server, cores, words, report):
    return subprocess.Popen(command(server, cores, [*words, "--json", report]), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)


def finish(process, report, limit_s, accepts_failures=False):
    """The report of a started run; raises when the run went wrong."""
    try:
        said, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Trouble(f"millrace-load did not end within {limit_s:.0f} s") from None
    try:
        with open(report) as file:
            result = json.load(file)
    except (OSError, ValueError):
        raise Trouble(f"millrace-load: {said.decode(errors='replace').strip()}") from None
    if not accepts_failures and (process.returncode != 0 or result["failures"]["total"] > 0):
        raise Trouble(f"millrace-load saw errors: {result['failures']}")
    result["exit_code"] = process.returncode
    return result


def run(server, cores, words, limit_s, accepts_failures=False):
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        return finish(start(server, cores, words, report), report, limit_s, accepts_failures)


def measure(server, cores, words, warmup_s, seconds):
    """One measured phase, with the share of a core that each of the server's threads used in the middle of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        process = start(server, cores, [*words, "--seconds", seconds, "--warmup-seconds", warmup_s], report)
        time.sleep(warmup_s + 0.1 * seconds)
        begin, (ran, waited) = time.monotonic_ns(), server.core_use_ns()
        time.sleep(0.8 * seconds)
        later = server.core_use_ns()
        took = time.monotonic_ns() - begin
        result = finish(process, report, warmup_s + seconds + 30)
    phase = result["phases"][0]
    return {
        "requests_per_s": phase["requests_per_s"],
        "keys_per_s": phase["keys_per_s"],
        "hit_ratio": phase["hit_ratio"] if phase["keys_asked"] else None,
        "p50_us": phase["latency_us"]["p50"],
        "p99_us": phase["latency_us"]["p99"],
        "p999_us": phase["latency_us"]["p999"],
        "server_core_share": (later[0] - ran) / took / server.threads,
        "server_waited_share": (later[1] - waited) / took / server.threads,
        "generator_core_share": phase["generator_core_share"],
        "generator_waited_share": phase["generator_waited_share"],
    }
