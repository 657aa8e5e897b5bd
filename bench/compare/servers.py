"""Starts the servers that are compared, watches what they use, and ends them.

Every server is a child of this process, bound to one core, on a free port of the loopback interface, and dies with us.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from dialects import dialect_of

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(REPOSITORY, "build"))
MILLRACE = os.path.join(BUILD, "src", "millrace")
LOAD = os.path.join(BUILD, "bench", "load", "millrace-load")
C2C = os.path.join(BUILD, "bench", "limits", "c2c")


class Trouble(Exception):
    """Something the operator can do something about; its text says what."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def core_use_ns(pid):
    """Time that the threads of a process spent on a core, and ready to run while others had it; ns."""
    ran = waited = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                words = file.read().split()
        except FileNotFoundError:
            continue  # a thread that has just ended
        ran += int(words[0])
        waited += int(words[1])
    return ran, waited


class Server:
    """A cache server on cores of its own; `what` is a program, or a command line as in dialects.Words."""

    def __init__(self, name, what, memory_mib, cores, threads=1, serves_udp=False):
        self.name = name
        program, self.dialect = dialect_of(what)
        self.path = shutil.which(program) or program
        if not os.access(self.path, os.X_OK):
            raise Trouble(f"{name}: {program} is no program; build it, or name another one")
        self.protocol = self.dialect.protocol
        self.memory_mib = memory_mib
        self.cores = [cores] if isinstance(cores, int) else list(cores)
        self.threads = threads
        self.serves_udp = serves_udp  # on the same port
        self.process = None
        self.port = None
        self.log = None

    def command(self):
        return self.dialect.command(self.path, self)

    def start(self):
        for _ in range(3):  # somebody else may take the port in between
            self.port = free_port()
            self.log = tempfile.TemporaryFile()

            def prepare():
                os.sched_setaffinity(0, self.cores)
                _die_with_parent()

            self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log,
                                            stdin=subprocess.DEVNULL, preexec_fn=prepare)
            if self._becomes_ready():
                return self
            self.stop()
        raise Trouble(f"{self.name} does not start: {' '.join(self.command())}\n{self.said()}")

    def _becomes_ready(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.dialect.is_hello(self.ask(self.dialect.hello, b"\r\n")):
                    return True
            except OSError:
                time.sleep(0.05)
        return False

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:].decode(errors="replace")

    def ask(self, request, until):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(until):
                got = connection.recv(65536)
                if not got:
                    break
                answer += got
            return answer

    def stats(self):
        return self.dialect.stats(self)

    def version(self):
        return self.dialect.version(self)

    def items(self):
        """How many it holds; None: it does not say."""
        return self.dialect.items(self)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def core_use_ns(self):
        if self.process.poll() is not None:
            raise Trouble(f"{self.name} has ended by itself:\n{self.said()}")
        return core_use_ns(self.process.pid)

    def wait_until_idle(self, limit_s=15):
        """Housekeeping after a fill shares the server's core: let it end. False: it did not."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            before, _ = self.core_use_ns()
            time.sleep(0.3)
            if self.core_use_ns()[0] - before < 0.03 * 0.3e9:
                return True
        return False

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def named(text):
    """NAME=PATH or NAME=COMMAND of an option."""
    name, separator, path = text.partition("=")
    if not separator or not name or not path:
        raise ValueError
    return name, path
