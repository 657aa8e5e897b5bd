#!/usr/bin/python3
"""millrace-load's protocols, with every reply verified: text, meta and binary against Debian's memcached and our own server,
whose counts have to agree; RESP against Debian's redis-server; and against servers that speak something else.
"""
import concurrent.futures
import json
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import millrace_server
import test_load_reports
from millrace_server import free_port, under_both

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


@under_both
class ThisHouse(ProtocolCase):
    """The same against our own server, whose counts must be the generator's."""
    wants_server = True
    server_arguments = ['-m', '128']

    def check_here(self, protocol):
        self.skip_for_stand_in('OtherHouses does it')
        with self.connect() as c:
            self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')
        before = self.server.stats()
        report = self.run_load(self.server.port, '--protocol', protocol, *WORKLOAD, '--mode', 'fill,get,multiget', '--requests', 4000)
        after = self.server.stats()
        fill, get, multiget = report['phases']
        self.assertEqual((fill['stored'], get['hits'], multiget['hits']), (3000, 4000, 4000 * 32))
        for name, count in ('cmd_set', 3000), ('get_hits', 4000 * 33), ('get_misses', 0):
            self.assertEqual(int(after[name]) - int(before[name]), count, name)
        self.check(self.server.port, protocol, MIX)

    def test_text(self):
        self.check_here('text')

    def test_meta(self):
        self.check_here('meta')

    def test_binary(self):
        self.check_here('binary')


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


class Middleman:
    """Between the generator and a server over UDP: does to each datagram what `fate` says: a list of delays, one a copy."""

    def __init__(self, port, fate):
        self.fate = fate
        self.server = ('127.0.0.1', port)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(('127.0.0.1', 0))
        self.port = self.front.getsockname()[1]
        self.behind = {}
        self.late = []
        self.stops = False
        self.lost = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        waiting = selectors.DefaultSelector()
        waiting.register(self.front, selectors.EVENT_READ, None)
        while not self.stops:
            for key, _ in waiting.select(0.005):
                if key.data is None:
                    datagram, client = self.front.recvfrom(65536)
                    if client not in self.behind:
                        self.behind[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        self.behind[client].connect(self.server)
                        waiting.register(self.behind[client], selectors.EVENT_READ, client)
                    self.pass_on('request', datagram, self.behind[client].send)
                else:
                    datagram = key.fileobj.recv(65536)
                    self.pass_on('reply', datagram, lambda bytes_, to=key.data: self.front.sendto(bytes_, to))
            due = [one for one in self.late if one[0] <= time.monotonic()]
            self.late = [one for one in self.late if one not in due]
            for _, datagram, send in due:
                send(datagram)

    def pass_on(self, kind, datagram, send):
        delays = self.fate(kind)
        self.lost += not delays
        for delay in delays:
            if delay == 0:
                send(datagram)
            else:
                self.late.append((time.monotonic() + delay, datagram, send))

    def end(self):
        self.stops = True
        self.thread.join()
        for one in self.front, *self.behind.values():
            one.close()


class OverUdp(ProtocolCase):
    WORDS = ['--udp', '--keys', 500, '--key-bytes', '8-60', '--value-bytes', '0=5,10=30,100=40,1300=5,3000=20,40000=5',
             '--ttl', '600-900', '--verify']
    UDP_MIX = 'get=40,set=10,add=5,append=1,cas=10,delete=10,touch=5,incr=10'

    def memcached_over_udp(self):
        user = ['-u', 'nobody'] if os.geteuid() == 0 else []
        return self.peer('memcached', '-p', 'PORT', '-U', 'PORT', '-l', '127.0.0.1', '-m', '64', '-t', '1', *user)

    def test_every_protocol_of_memcached(self):
        port = self.memcached_over_udp().port
        for protocol in 'text', 'meta', 'binary':
            report = self.run_load(port, *self.WORDS, '--protocol', protocol, '--connections', 8, '--mode', 'fill,get,mix',
                                   '--mix', self.UDP_MIX, '--requests', 2000, '--read-through')
            fill, get, mixed = report['phases']
            self.assertEqual(fill['stored'], 500)
            self.assertEqual((get['hits'], get['misses']), (2000, 0))
            self.assertGreaterEqual(mixed['requests'], 2000)
            self.assertEqual(report['workload']['protocol'], protocol + ' over UDP')

    def test_an_open_loop(self):
        port = self.memcached_over_udp().port
        report = self.run_load(port, *self.WORDS, '--mode', 'fill,get', '--rate', 2000, '--seconds', 0.5)
        self.assertGreater(report['phases'][1]['hits'], 500)

    def test_what_is_lost_is_counted_and_the_rest_goes_on(self):
        random = self.prng
        middleman = Middleman(self.memcached_over_udp().port, lambda kind: [] if random.random() < 0.02 else [0])
        self.addCleanup(middleman.end)
        # So long a wait that what comes late on a busy machine is not taken for lost.
        report = self.run_load(middleman.port, *self.WORDS, '--connections', 4, '--mode', 'fill,get', '--requests', 300,
                               '--timeout-seconds', 1, status=1)
        failures = report['failures']
        self.assertGreater(middleman.lost, 0)
        # Several parts of one reply may be lost, and a request then is lost once.
        self.assertLessEqual(failures['lost_requests'], middleman.lost)
        self.assertGreater(failures['lost_requests'], 0)
        self.assertEqual(sum(failures[kind] for kind in failures if kind not in ('lost_requests', 'first', 'total')), 0)
        self.assertIn('lost', failures['first'])
        self.assertGreaterEqual(report['phases'][1]['hits'], 240)

    def test_what_is_doubled_and_overtaken_is_put_in_order(self):
        random = self.prng

        def fate(kind):
            if kind == 'request':
                return [0]
            return random.choice([[0], [0, 0], [0.004], [0.01, 0], [0, 0.3]])

        middleman = Middleman(self.memcached_over_udp().port, fate)
        self.addCleanup(middleman.end)
        report = self.run_load(middleman.port, *self.WORDS, '--connections', 4, '--mode', 'fill,get', '--requests', 600)
        self.assertEqual(report['phases'][1]['hits'], 600)

    def test_nobody_there_is_said(self):
        report = self.run_load(free_port(), *self.WORDS, '--connections', 2, '--mode', 'get', '--requests', 10, status=1)
        self.assertEqual(report['failures']['reset'], 2)

    def test_answers_that_are_none(self):
        answers = [b'', b'\0\1', bytes(8), b'\0\1\0\0\0\1\0\0', b'\0\1\0\0\0\1\0\0END', b'\0\1\0\0\0\1\0\0END\r\nEND\r\n',
                   b'\0\1\0\5\0\1\0\0END\r\n', b'\0\1\0\0\xff\xff\0\0' + bytes(1392), self.prng.randbytes(1500)]
        for answer in answers:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as babbler:
                babbler.bind(('127.0.0.1', 0))
                babbler.settimeout(20)

                def babble():
                    try:
                        while True:
                            _, client = babbler.recvfrom(65536)
                            babbler.sendto(answer, client)
                    except OSError:
                        pass

                threading.Thread(target=babble, daemon=True).start()
                report = self.run_load(babbler.getsockname()[1], *self.WORDS, '--connections', 2, '--mode', 'get', '--requests',
                                       6, '--timeout-seconds', 0.1, status=1)
                failures = report['failures']
                self.assertGreater(failures['protocol'] + failures['lost_requests'], 0, answer)
                self.assertTrue(failures['first'])

    def test_what_does_not_go_together_is_refused(self):
        for words in (['--protocol', 'resp'], ['--depth', '2'], ['--mode', 'multiget'], ['--mode', 'mix', '--mix', 'get=1,multiget=1'],
                      ['--unix', '/tmp/x'], ['--value-bytes', '70000']):
            done = subprocess.run([test_load_reports.generator(), '--udp', *words], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertIn(done.returncode, (1, 2), words)
            self.assertIn('--u', done.stderr, words)


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

    def test_binary(self):
        ProtocolCase.check(self, self.server.port, 'binary', MIX)

    run_load = ProtocolCase.run_load


if __name__ == '__main__':
    millrace_server.run()
