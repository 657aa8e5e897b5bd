#!/usr/bin/python3
"""millrace-load's protocols, each against a server of another house that speaks it, with every reply verified: text, meta
and binary against Debian's memcached, RESP against Debian's redis-server; and against servers that speak something else.
"""
import concurrent.futures
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import millrace_server
import test_load_reports
from millrace_server import free_port

MIX = 'get=40,multiget=5,set=10,add=5,append=5,cas=10,delete=10,touch=5,incr=10'
RESP_MIX = 'get=40,multiget=5,set=10,add=5,delete=10,touch=5,incr=10'  # what RESP has of it
WORKLOAD = ['--keys', 3000, '--key-bytes', '8-60', '--value-bytes', '0=5,10=30,100=40,3000=20,70000=5', '--ttl', '600-900',
            '--connections', 8, '--depth', 16, '--verify']


class Peer:
    """Another server, running until it is ended."""

    def __init__(self, *argv):
        self.port = free_port()
        self.process = subprocess.Popen([str(a).replace('PORT', str(self.port)) for a in argv], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    self.end()
                    raise AssertionError('%s did not start' % argv[0]) from None
                time.sleep(0.02)

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Babbler:
    """Listens, and answers whatever comes with the same bytes."""

    def __init__(self, answer):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer_all, args=(connection,), daemon=True).start()

    def answer_all(self, connection):
        with connection:
            try:
                while connection.recv(65536):
                    connection.sendall(self.answer)
            except OSError:
                pass

    def end(self):
        self.listener.close()


class ProtocolCase(test_load_reports.LoadCase):
    wants_server = False

    def peer(self, *argv):
        if not shutil.which(argv[0]):
            self.skipTest('%s is not installed' % argv[0])
        peer = Peer(*argv)
        self.addCleanup(peer.end)
        return peer

    def memcached(self):
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        return self.peer('memcached', '-p', 'PORT', '-U', '0', '-l', '127.0.0.1', '-m', '64', '-I', '1m', *user)

    def redis(self):
        return self.peer('redis-server', '--port', 'PORT', '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir',
                         self.folder)

    def run_load(self, port, *words, status=0):
        report = self.path('report-%d.json' % threading.get_ident())
        command = [test_load_reports.generator(), '--server', '127.0.0.1:%d' % port, '--json', report, *words]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=100 * millrace_server.binary.patience)
        self.assertEqual(done.returncode, status, done.stderr.decode() + done.stdout.decode())
        with open(report) as file:
            return json.load(file)

    def check(self, port, protocol, mix):
        words = ['--protocol', protocol, *WORKLOAD]
        report = self.run_load(port, *words, '--mode', 'fill,get,multiget,mix', '--mix', mix, '--requests', 6000,
                               '--read-through')
        fill, get, multiget, mixed = report['phases']
        self.assertEqual(fill['stored'], 3000)
        self.assertEqual((get['hits'], get['misses']), (6000, 0))
        self.assertEqual((multiget['hits'], multiget['misses']), (6000 * 32, 0))
        self.assertGreaterEqual(mixed['requests'], 6000)
        self.assertGreater(mixed['misses'], 0, 'what was deleted is missed')
        # A server that lost its memory is filled by reading through, key by key and many at a time.
        with socket.create_connection(('127.0.0.1', port), timeout=20) as c:
            c.sendall(b'FLUSHALL\r\n' if protocol == 'resp' else b'flush_all\r\n')
            self.assertIn(b'OK', c.recv(100))
        for mode in 'get', 'multiget':
            report = self.run_load(port, *words, '--mode', mode, '--requests', 2000, '--keys-per-get', 5, '--read-through',
                                   '--seed', 7)
            phase = report['phases'][0]
            self.assertEqual(phase['stored'], phase['misses'])
            self.assertGreater(phase['hits'], 0)


class OtherHouses(ProtocolCase):
    def test_memcached_text(self):
        self.check(self.memcached().port, 'text', MIX)

    def test_memcached_meta(self):
        self.check(self.memcached().port, 'meta', MIX)

    def test_memcached_binary(self):
        self.check(self.memcached().port, 'binary', MIX)

    def test_memcached_reads_in_one_protocol_what_was_written_in_another(self):
        port = self.memcached().port
        for writer, reader in ('text', 'meta'), ('meta', 'binary'), ('binary', 'text'):
            words = [*WORKLOAD, '--requests', 3000]
            self.run_load(port, '--protocol', writer, '--mode', 'fill,mix', '--mix', 'cas=8,append=1,delete=1', *words)
            report = self.run_load(port, '--protocol', reader, '--mode', 'mix', '--mix', 'get=1,append=0.01', *words)
            self.assertGreater(report['phases'][0]['hits'], 0)

    def test_redis(self):
        self.check(self.redis().port, 'resp', RESP_MIX)


class WrongServers(ProtocolCase):
    def check_failure(self, port, protocol, *kinds):
        """It ends, soon, and says why."""
        report = self.run_load(port, '--protocol', protocol, '--mode', 'fill,multiget', '--requests', 100, '--timeout-seconds', 1,
                               '--keys-per-get', 3, status=1)
        failures = report['failures']
        self.assertGreater(sum(failures[kind] for kind in kinds), 0, failures)
        self.assertTrue(failures['first'])

    def test_servers_that_speak_something_else(self):
        memcached, redis = self.memcached().port, self.redis().port
        self.check_failure(memcached, 'resp', 'protocol')
        for protocol in 'text', 'meta', 'binary':
            self.check_failure(redis, protocol, 'protocol', 'closed', 'error_replies', 'timeouts')

    def test_servers_that_babble(self):
        answers = [b'\r\n', b'HTTP/1.1 400 Bad Request\r\n\r\n', b'\x81' + bytes(200), b'$5\r\n', b'VA 3 f0\r\n',
                   b'VALUE a 0 9\r\n', self.prng.randbytes(5000)]
        babblers = [Babbler(answer) for answer in answers]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            checks = [pool.submit(self.check_failure, babbler.port, protocol, 'protocol', 'error_replies', 'timeouts')
                      for babbler in babblers for protocol in ('text', 'meta', 'binary', 'resp')]
            for check in checks:
                check.result()
        for babbler in babblers:
            babbler.end()


class Ours(test_load_reports.LoadCase):
    def test_text(self):
        ProtocolCase.check(self, self.server.port, 'text', MIX)

    run_load = ProtocolCase.run_load


if __name__ == '__main__':
    millrace_server.run()
