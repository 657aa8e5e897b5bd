"""One real server process for a test: started on a free loopback port, watched, and ended by its pid.

Which binary: the script's first argument, else env MILLRACE_BINARY, else build/src/millrace of this repository. Any
server that takes memcached's flags will do; with Debian's memcached 1.6.18 in its place (the stand-in, for testing these
tests) what only the real server has is skipped with a sentence.

What every test gets for nothing from `ServerCase`: the process must have been alive all the time, must exit with status 0
on SIGTERM within seconds, must have written nothing that looks like a sanitizer's or an assertion's report, and, with only
an idle connection left, must hold nothing: see `assert_nothing_held`.

Run by Debian's /usr/bin/python3, where Debian's client libraries are. Exit status: 0, 1, or 77 when all was skipped.
"""
import ctypes
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from wire import Closed, Wire

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77

# Taken once, by run(); printed; a test derives all its random choices from it.
SEED = int(os.environ.get('MILLRACE_TEST_SEED') or random.SystemRandom().randrange(1 << 32))

# The ways most suites run: one worker, and four that share the machine's cores, so that keys, connections and replies
# cross from worker to worker whatever the machine has.
WORKERS = {'one_worker': ['-t', '1'], 'four_workers': ['-t', '4', '--oversubscribe']}

# Names the server puts in `stats` for what must be 0 when nobody is being served.
HELD_NAMES = ('millrace_pins', 'millrace_reservations', 'millrace_buffers_in_use', 'millrace_holes_outstanding',
              'millrace_receive_buffers_lent', 'millrace_bytes_held_for_paused', 'millrace_sends_in_flight')
# What the connection that asks may itself hold at the moment its answer is made: the request's receive buffer, and the
# pieces of the answer.
HELD_BY_ASKER = {'millrace_buffers_in_use': 2, 'millrace_receive_buffers_lent': 1, 'millrace_sends_in_flight': 1}

REPORT_MARKS = (b'ERROR: AddressSanitizer', b'ERROR: LeakSanitizer', b'WARNING: ThreadSanitizer', b'runtime error:',
                b'UndefinedBehaviorSanitizer', b'Assertion', b'assertion failed', b'terminate called', b'Sanitizer:DEADLYSIGNAL')


class Binary:
    """What is known about the executable under test before it is started."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        answer = subprocess.run([self.path, '-V'], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        self.version_text = (answer.stdout + answer.stderr).decode(errors='replace').strip()
        self.is_stand_in = self.version_text.startswith('memcached ')
        with open(self.path, 'rb') as f:
            self.is_sanitized = re.search(rb'__[at]san_init', f.read()) is not None
        # Sanitizers slow the server about threefold; waits are limits for hangs, never measurements.
        self.patience = 4 if self.is_sanitized else 1


binary = None  # set by run()


def free_port():
    """A port nobody listens on, below the range from which the kernel takes those of outgoing connections."""
    for _ in range(200):
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    raise RuntimeError('no free loopback port found between 15000 and 32000')


def shared_folder(*parts):
    """A path in the folder of traces and outside judges, or None when it is not there."""
    base = os.environ.get('MILLRACE_SHARED') or os.path.join(os.path.dirname(REPOSITORY), 'shared')
    path = os.path.join(base, *parts)
    return path if os.path.exists(path) else None


def generator():
    """millrace-load: env MILLRACE_LOAD, else the one of the server's build."""
    build = os.path.dirname(os.path.dirname(binary.path))
    return os.environ.get('MILLRACE_LOAD') or os.path.join(build, 'bench', 'load', 'millrace-load')


class Server:
    """A running server. `arguments` are added to -p PORT -U 0 -l 127.0.0.1 (or replace them: `listens=False`)."""

    def __init__(self, *arguments, port=None, listens=True, descriptors=None, waits=True, unix_path=None):
        self.port = port or free_port()
        self.unix_path = unix_path
        self.argv = [binary.path]
        if os.geteuid() == 0:
            self.argv += ['-u', 'root']
        if listens and not unix_path:
            self.argv += ['-p', str(self.port), '-U', '0', '-l', '127.0.0.1']
        if unix_path:
            self.argv += ['-s', unix_path]
        for a in arguments:
            if not (a == '--oversubscribe' and binary.is_stand_in):
                self.argv.append(str(a))
        self.errors = tempfile.TemporaryFile()
        def limit():
            # For good: not even root may raise it again without this capability (CAP_SYS_RESOURCE, PR_CAPBSET_DROP).
            ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                        preexec_fn=limit if descriptors else None)
        if waits:
            self.wait_until_it_answers()

    @property
    def pid(self):
        return self.process.pid

    def wait_until_it_answers(self, ask=None):
        """An answer, not an open connection: the kernel opens them earlier, and for a server that was just killed, too.
        ask(): another question than for text's version."""
        until = time.monotonic() + 60 * binary.patience
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if ask:
                    ask()
                else:
                    with self.connect() as c:
                        c.ask(b'version\r\n')
                return
            except (OSError, Closed):
                time.sleep(0.02)
        self.kill()
        raise AssertionError('the server did not start: %s\nexit status %s\n%s' %
                             (' '.join(self.argv), self.process.returncode, self.output()))

    def connect(self, timeout=30, **options):
        if self.unix_path:
            return Wire(unix_path=self.unix_path, timeout=timeout * binary.patience, **options)
        return Wire(port=self.port, timeout=timeout * binary.patience, **options)

    def output(self):
        if not self.errors.closed:
            self.errors.seek(0)
            self.said = self.errors.read().decode(errors='replace')
        return self.said

    def is_alive(self):
        return self.process.poll() is None

    def stats(self, words=b''):
        with self.connect() as c:
            return c.stats(words)

    def rss_bytes(self):
        with open('/proc/%d/status' % self.pid) as f:
            return int(re.search(r'VmRSS:\s+(\d+) kB', f.read()).group(1)) * 1024

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output()
        self.errors.close()

    def stop(self, sign=signal.SIGTERM, seconds=10):
        """Ends it as an operator would, and holds it to: status 0, soon, nothing ugly said."""
        if self.process.poll() is not None:
            raise AssertionError('the server ended by itself with status %s\n%s' % (self.process.returncode, self.output()))
        self.process.send_signal(sign)
        try:
            status = self.process.wait(seconds * binary.patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError('the server still ran %d s after signal %d\n%s' %
                                 (seconds * binary.patience, sign, self.output())) from None
        self.assert_clean_output()
        if status != 0:
            raise AssertionError('exit status %s after signal %d\n%s' % (status, sign, self.output()))

    def assert_clean_output(self):
        said = self.output().encode()
        for mark in REPORT_MARKS:
            if mark in said:
                raise AssertionError('the server reported:\n' + said.decode(errors='replace'))

    def held(self, connection):
        """What the server still holds beyond what the asking connection needs, as {name: number}; {} is good."""
        stats = connection.stats()
        held = {}
        if int(stats['curr_connections']) > self.idle_connections():
            held['curr_connections'] = int(stats['curr_connections'])
        if not binary.is_stand_in:
            for name in HELD_NAMES:
                if name not in stats:
                    held[name] = 'missing from stats'
                elif int(stats[name]) > HELD_BY_ASKER.get(name, 0):
                    held[name] = int(stats[name])
        return held

    def idle_connections(self):
        # memcached counts its listening sockets as connections: one TCP (or unix) one here.
        return 2 if binary.is_stand_in else 1

    def assert_nothing_held(self, seconds=15):
        """With one idle connection left, everything has been given back. Polled: closes are noticed a turn later."""
        until = time.monotonic() + seconds * binary.patience
        while True:
            with self.connect() as c:
                held = self.held(c)
                if not held:
                    return
            if time.monotonic() > until:
                raise AssertionError('the server still holds %r with one idle connection left' % held)
            time.sleep(0.05)


class ServerCase(unittest.TestCase):
    """A server for the class (`server_arguments`), under one way of `WORKERS`; see under_both()."""
    worker_arguments = WORKERS['one_worker']
    server_arguments = []
    wants_server = True   # False: each test starts its own with self.start()
    prng = None           # random numbers from SEED, anew for each test
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.worker_arguments, *cls.server_arguments) if cls.wants_server else None

    @classmethod
    def tearDownClass(cls):
        if cls.server:
            try:
                cls.server.assert_nothing_held()
                cls.server.stop()
            finally:
                cls.server.kill()

    def run(self, result=None):
        self.prng = random.Random(SEED)
        started = time.monotonic()
        super().run(result)
        if time.monotonic() - started > 3:
            print('%.1f s: %s' % (time.monotonic() - started, self.id()), flush=True)

    def tearDown(self):
        if self.server:
            self.assertTrue(self.server.is_alive(), 'the server died: ' + self.server.output())

    def start(self, *arguments, **options):
        """A server of this test's own. The test ends it with stop(); if it fails before, it is killed."""
        server = Server(*self.worker_arguments, *arguments, **options)
        self.addCleanup(server.kill)
        return server

    def connect(self, **options):
        c = self.server.connect(**options)
        self.addCleanup(c.close)
        return c

    def wait_until(self, condition, otherwise, seconds=10):
        until = time.monotonic() + seconds * binary.patience
        while not condition():
            self.assertLess(time.monotonic(), until, otherwise)
            time.sleep(0.02)

    def skip_for_stand_in(self, reason):
        if binary.is_stand_in:
            self.skipTest('stand-in: ' + reason)


def under_both(cls):
    """Runs a ServerCase under every way of WORKERS. The class itself leaves the module, so that it is not run a third time."""
    module = sys.modules[cls.__module__]
    for name, arguments in WORKERS.items():
        full_name = '%s_%s' % (cls.__name__, name)
        setattr(module, full_name, type(full_name, (cls,), {'worker_arguments': arguments, '__module__': cls.__module__}))
    return None


def take_arguments():
    """Sets `binary` and SEED from the command line and the environment; returns what is left for unittest."""
    global binary
    arguments = sys.argv[1:]
    path = arguments.pop(0) if arguments and not arguments[0].startswith('-') and os.path.sep in arguments[0] else None
    path = path or os.environ.get('MILLRACE_BINARY') or os.path.join(REPOSITORY, 'build', 'src', 'millrace')
    if not os.access(path, os.X_OK):
        print('skipped: no server at %s; build it, or name one: %s BINARY, or env MILLRACE_BINARY' % (path, sys.argv[0]))
        sys.exit(SKIPPED)
    binary = Binary(path)
    return arguments


def run():
    """What each test script ends with."""
    arguments = take_arguments()
    print('server: %s (%s)%s; MILLRACE_TEST_SEED=%d' %
          (binary.path, binary.version_text, ', sanitized' if binary.is_sanitized else '', SEED), flush=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65536, hard), hard))
    program = unittest.main(module='__main__', argv=[sys.argv[0]] + arguments, exit=False, verbosity=2)
    result = program.result
    for test, reason in result.skipped:
        print('skipped %s: %s' % (test, reason))
    if not result.wasSuccessful():
        print('replay with: MILLRACE_TEST_SEED=%d %s %s' % (SEED, sys.argv[0], binary.path))
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
