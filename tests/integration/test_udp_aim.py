#!/usr/bin/python3
"""Aimed traffic (docs/aiming.md): the map that is published is true, who aims by it makes no worker ask another, and who
aims wrongly or not at all gets the same answers.
"""
import ctypes
import json
import os
import socket
import subprocess
import tempfile

import millrace_server
from millrace_server import ServerCase, free_port, generator
from start_case import StartCase
from test_udp_reference import free_udp_port
from udp_wire import UdpWire

try:
    xxhash = ctypes.CDLL('libxxhash.so.0')
    xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
    xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
except OSError:
    xxhash = None


def owner_of(key, aim):
    """As a client does it: docs/aiming.md. No code is shared with the server but the library of the hash."""
    hash_ = xxhash.XXH3_64bits_withSeed(key, len(key), int(aim['seed']))
    return ((hash_ >> 48) * int(aim['workers'])) >> 16


def free_udp_ports(count):
    """The first of so many free ones in a row."""
    for _ in range(200):
        first = free_port()
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for i, s in enumerate(sockets):
                s.bind(('127.0.0.1', first + i))
            return first
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError('no %d free UDP ports in a row' % count)


class AimedCase(ServerCase):
    wants_server = False
    server = None
    workers = 2

    def setUp(self):
        self.skip_for_stand_in('memcached has no owners of keys')
        self.base = free_udp_ports(self.workers)
        self.port = next(port for port in iter(free_udp_port, None) if not 0 <= port - self.base < self.workers)
        self.own = self.start('-U', self.port, '--udp-aim', self.base, '-l', '127.0.0.1', '-m', '128', '-p', self.port,
                              port=self.port, listens=False)
        self.tcp = self.own.connect()
        self.addCleanup(self.tcp.close)
        self.aim = self.tcp.stats(b'aim')

    def wire(self, port):
        wire = UdpWire(port)
        self.addCleanup(wire.close)
        return wire

    def asks(self):
        return int(self.tcp.stats()['millrace_asks_sent'])

    def end(self):
        self.tcp.close()
        self.own.assert_nothing_held()
        self.own.stop()

    def ask_for_all(self, port_of):
        """Stores, reads and changes keys, each over the port that `port_of` names; returns what came of `asks`."""
        wires = {port: self.wire(port) for port in [self.port] + [self.base + i for i in range(self.workers)]}
        before = self.asks()
        for i in range(300):
            key, value = b'some-key-%d' % i, b'v%d' % i * self.prng.choice((1, 20, 700))
            wire = wires[port_of(key)]
            self.assertEqual(wire.ask(b'set %s 5 0 %d\r\n%s\r\n' % (key, len(value), value)), [b'STORED\r\n'])
            self.assertEqual(wire.ask(b'get %s\r\n' % key), [b'VALUE %s 5 %d\r\n%s\r\nEND\r\n' % (key, len(value), value)])
            if i % 3 == 0:
                self.assertEqual(wire.ask(b'delete %s\r\n' % key), [b'DELETED\r\n'])
                self.assertEqual(wire.ask(b'get %s\r\n' % key), [b'END\r\n'])
        return self.asks() - before

    def test_the_map(self):
        self.assertEqual((self.aim['enabled'], int(self.aim['port']), int(self.aim['workers']), self.aim['hash']),
                         ('yes', self.base, self.workers, 'xxh3_64'))
        told = self.wire(self.base + self.workers - 1).ask(b'stats aim\r\n')[0].decode().split('\r\n')
        self.assertEqual(told, ['STAT %s %s' % each for each in self.aim.items()] + ['END', ''])
        self.end()

    def test_who_aims_makes_nobody_ask(self):
        if not xxhash:
            self.skipTest('libxxhash.so.0 is not installed')
        self.assertEqual(self.ask_for_all(lambda key: self.base + owner_of(key, self.aim)), 0)
        items = [int(self.tcp.stats()['millrace_worker_%d_items' % i]) for i in range(self.workers)]
        kept = [b'some-key-%d' % i for i in range(300) if i % 3]
        self.assertEqual(items, [sum(owner_of(key, self.aim) == i for key in kept) for i in range(self.workers)])
        self.end()

    def test_who_aims_wrongly_gets_the_same_answers(self):
        if not xxhash:
            self.skipTest('libxxhash.so.0 is not installed')
        wrong = self.ask_for_all(lambda key: self.base + (owner_of(key, self.aim) + 1) % self.workers)
        self.assertGreaterEqual(wrong, 800)
        self.end()

    def test_any_port_will_do(self):
        ports = [self.port] + [self.base + i for i in range(self.workers)]
        self.ask_for_all(lambda key: self.prng.choice(ports))
        # All answers to a datagram for keys of several owners, and a value that leaves in many datagrams.
        self.tcp.store(b'long', b'v' * 50000)
        for port in ports:
            wire = self.wire(port)
            self.assertEqual(wire.ask(b'get some-key-1 some-key-2 none some-key-4\r\n')[0].count(b'VALUE'), 3)
            self.assertEqual(wire.ask(b'get long\r\n'), [b'VALUE long 0 50000\r\n' + b'v' * 50000 + b'\r\nEND\r\n'])
        self.end()


    def load(self, *words, port=None):
        if not os.path.exists(generator()):
            self.skipTest('no millrace-load at ' + generator())
        with tempfile.NamedTemporaryFile(suffix='.json') as file:
            done = subprocess.run(
                [generator(), '--server', '127.0.0.1:%d' % (port or self.port), '--udp', '--aim', '--verify', '--keys', '2000',
                 '--value-bytes', '0=5,10=30,100=40,3000=20', '--json', file.name, '--seed', str(millrace_server.SEED),
                 *map(str, words)],
                capture_output=True, text=True, timeout=60 * millrace_server.binary.patience)
            return done, json.load(file) if done.returncode == 0 else None

    def test_millrace_load(self):
        before = self.asks()
        done, report = self.load('--mode', 'fill,get,mix', '--mix', 'get=40,set=10,cas=10,delete=10,incr=10', '--zipf', 0.99,
                                 '--read-through', '--requests', 4000, '--threads', 2, '--connections', 3 * self.workers)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        fill, get, mixed = report['phases']
        self.assertEqual((fill['stored'], get['hits'], get['misses']), (2000, 4000, 0))
        self.assertGreaterEqual(mixed['requests'], 4000)
        self.assertEqual([phase['aimed'] for phase in report['phases']], [phase['requests'] for phase in report['phases']])
        self.assertEqual(self.asks() - before, 0)
        # At a rate, too.
        done, report = self.load('--mode', 'get', '--rate', 2000, '--seconds', 0.5, '--connections', 2 * self.workers)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(report['phases'][0]['aimed'], report['phases'][0]['requests'])
        self.assertEqual(self.asks() - before, 0)
        self.end()

    def test_millrace_load_says_what_it_lacks(self):
        done, _ = self.load('--connections', self.workers - 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn('a socket to each of %d workers' % self.workers, done.stderr)
        done, _ = self.load('--connections', self.workers, '--keys', 1)
        self.assertIn('own none of the 1 keys', done.stderr)
        silent = free_udp_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(('127.0.0.1', silent))
            done, _ = self.load(port=silent)
        self.assertIn('did not answer', done.stderr)
        other = self.start('-U', silent, '-l', '127.0.0.1', '-p', silent, port=silent, listens=False)
        done, _ = self.load(port=silent)
        self.assertIn('start it with --udp-aim', done.stderr)
        other.stop()
        self.end()


class TwoWorkers(AimedCase):
    worker_arguments = ['-t', '2', '--oversubscribe']


class FourWorkers(AimedCase):
    worker_arguments = ['-t', '4', '--oversubscribe']
    workers = 4


class Starting(StartCase):
    worker_arguments = ['-t', '2', '--oversubscribe']

    def test_the_seed_is_a_secret_otherwise(self):
        server = self.start('-U', self.port, '-p', self.port, '-l', '127.0.0.1', port=self.port, listens=False)
        self.assertEqual(server.stats(b'aim'), {'enabled': 'no'})
        server.stop()

    def test_refusals(self):
        port = free_udp_port()
        self.assertIn('add -U', self.refusal('-t', 1, '--udp-aim', port))
        self.assertIn('need the ports up to 65536',
                      self.refusal('-t', 2, '--oversubscribe', '-U', port, '--udp-aim', 65535))
        self.assertIn('UDP listens on %d' % port,
                      self.refusal('-t', 2, '--oversubscribe', '-U', port, '--udp-aim', port - 1))

    def test_a_port_that_is_taken(self):
        base = free_udp_ports(2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(('127.0.0.1', base + 1))
            said = self.refusal('-t', 2, '--oversubscribe', '-p', self.port, '-U', free_udp_port(), '--udp-aim', base,
                                '-l', '127.0.0.1')
        self.assertRegex(said, r'cannot listen on 127\.0\.0\.1:%d: another process does already' % (base + 1))


del AimedCase, StartCase

if __name__ == '__main__':
    millrace_server.run()
