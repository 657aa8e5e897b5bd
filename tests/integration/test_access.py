#!/usr/bin/python3
"""Who is let in, and what he may ask: --allow, --refuse, --admin-listen, --open; and config get cluster."""
import os
import re
import socket
import struct
import subprocess

import millrace_server
from millrace_server import ServerCase, free_port, under_both
from wire import Closed, Wire

REFUSED = b'CLIENT_ERROR command not allowed here'


class Client(Wire):
    """A connection from an address of its own."""

    def __init__(self, port, source, host='127.0.0.1'):
        self.socket = socket.socket()
        self.socket.settimeout(30)
        self.socket.bind((source, 0))
        try:
            self.socket.connect((host, port))
        except OSError:
            self.socket.close()
            raise
        self.unread = bytearray()


def refused_start(*words):
    argv = [millrace_server.binary.path] + (['-u', 'root'] if os.geteuid() == 0 else []) + [str(w) for w in words]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    return done.returncode, done.stderr.decode()


@under_both
class Access(ServerCase):
    wants_server = False

    def setUp(self):
        self.skip_for_stand_in('options of ours')
        self.port = free_port()

    def serve(self, *words, **options):
        return self.start('-m', '16', *words, port=self.port, **options)

    def test_networks_let_in(self):
        server = self.serve('--allow', '127.0.0.1/32')
        with Client(self.port, '127.0.0.1') as c:
            self.assertEqual(c.store(b'a', b'x'), b'STORED')
            for _ in range(20):
                try:  # it may be cut while it still connects
                    with Client(self.port, '127.0.0.2') as other:
                        other.send(b'get a\r\n')
                        self.assertEqual(other.until_closed(), b'', 'served from outside of --allow')
                except OSError:
                    pass
            stats = c.stats()
            self.assertEqual(int(stats['millrace_connections_not_allowed']), 20)
            self.assertEqual(stats['curr_connections'], '1')
        server.stop()

    def test_networks_of_one_listener(self):
        second = free_port()
        server = self.serve('-l', '127.0.0.1,127.0.0.1:%d' % second, '-p', self.port, '--allow', '127.0.0.0/8',
                            '--allow', '127.0.0.1:%d=127.0.0.2' % second, listens=False)
        for port, source, is_served in ((self.port, '127.0.0.1', True), (self.port, '127.0.0.2', True),
                                        (second, '127.0.0.1', False), (second, '127.0.0.2', True)):
            try:
                with Client(port, source) as c:
                    answer = c.ask(b'mn\r\n')
            except (Closed, OSError):
                answer = None
            self.assertEqual(answer, b'MN' if is_served else None, (port, source))
        server.stop()

    def test_networks_over_udp(self):
        server = self.serve('-l', '127.0.0.1', '-p', self.port, '-U', self.port, '--allow', '127.0.0.1', listens=False)

        def answer(source):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((source, 0))
                s.connect(('127.0.0.1', self.port))
                s.settimeout(0.5 if source != '127.0.0.1' else 20)
                s.send(b'\0\1\0\0\0\1\0\0mn\r\n')
                try:
                    return s.recv(2000)[8:]
                except TimeoutError:
                    return None
        self.assertEqual(answer('127.0.0.1'), b'MN\r\n')
        self.assertIsNone(answer('127.0.0.2'))
        self.assertEqual(server.stats()['millrace_udp_drop_not_allowed'], '1')
        server.stop()

    def test_who_may_only_read(self):
        server = self.serve('--refuse', 'write,flush_all')
        with server.connect() as c:
            for request in (b'set a 0 0 1\r\nx', b'add a 0 0 1\r\nx', b'append a 0 0 1\r\nx', b'cas a 0 0 1 1\r\nx', b'delete a',
                            b'incr a 1', b'touch a 1', b'flush_all', b'gat 1 a', b'gats 1 a b c'):
                self.assertEqual(c.ask(request + b'\r\n'), REFUSED, request)
                self.assertEqual(c.ask(b'mn\r\n'), b'MN', request)
            for size in (2000, 100_000, 900_000):  # by the other ways a value can come
                c.send(b'set large 0 0 %d\r\n%s\r\n' % (size, b'x' * size))
                self.assertEqual(c.line(), REFUSED)
            c.send(b'set a 0 0 1 noreply\r\nx\r\ndelete a noreply\r\n')
            self.assertEqual(c.fetch(b'a', b'large'), {})
            self.assertEqual(c.stats()['curr_items'], '0')
            self.assertEqual(int(c.stats()['millrace_commands_refused']), 15)
        server.stop()

    def test_refused_in_every_dialect(self):
        server = self.serve('--refuse', 'write')
        with server.connect() as c:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
            for request in (b'ms a 1\r\nx', b'md a', b'ma a'):
                self.assertRegex(c.ask(request + b'\r\n'), rb'^(CLIENT_ERROR command not allowed here|ERROR)$', request)
        with server.connect() as c:
            def packet(opcode, extras, key, value):
                return struct.pack('>BBHBBHIIQ', 0x80, opcode, len(key), len(extras), 0, 0, len(extras + key + value), 77, 0) + extras + key + value
            for size in (1, 900, 5000, 900_000):
                c.send(packet(0x01, bytes(8), b'a', b'x' * size))
                header = struct.unpack('>BBHBBHIIQ', c.read(24))
                self.assertEqual((header[1], header[5], header[7]), (0x01, 0x81, 77))
                c.read(header[6])
            c.send(packet(0x00, b'', b'a', b''))
            header = struct.unpack('>BBHBBHIIQ', c.read(24))
            self.assertEqual((header[1], header[5]), (0x00, 0x01))
        server.stop()

    def test_refused_over_udp(self):
        server = self.serve('-l', '127.0.0.1', '-p', self.port, '-U', self.port, '--refuse', 'set', listens=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(('127.0.0.1', self.port))
            s.settimeout(20)
            for n, request in enumerate((b'set a 0 0 1\r\nx\r\n', b'set a 0 0 1\r\nx\r\nget a\r\n')):
                s.send(bytes((0, n, 0, 0, 0, 1, 0, 0)) + request)
                self.assertTrue(s.recv(2000)[8:].startswith(REFUSED))
            s.send(b'\0\x09\0\0\0\1\0\0get a\r\n')
            self.assertEqual(s.recv(2000)[8:], b'END\r\n')
        server.stop()

    def test_a_door_for_administrators(self):
        admin = free_port()
        server = self.serve('--admin-listen', '127.0.0.1:%d' % admin, '-A')
        plain, boss = server.connect(), Wire(port=admin)
        self.addCleanup(plain.close)
        self.addCleanup(boss.close)
        self.assertEqual(plain.store(b'a', b'x'), b'STORED')
        for request in (b'lru_crawler metadump all', b'lru_crawler crawl all', b'slabs automove 1', b'lru mode flat', b'verbosity 1',
                        b'cache_memlimit 8', b'stats cachedump 1 0', b'stats reset', b'stats detail on', b'stats detail dump',
                        b'watch', b'shutdown'):
            self.assertEqual(plain.ask(request + b'\r\n'), REFUSED, request)
        self.assertIn('curr_items', plain.stats())
        self.assertEqual(plain.ask(b'flush_all\r\n'), b'OK')
        for request in (b'lru_crawler crawl all', b'slabs automove 1', b'lru mode flat', b'verbosity 1', b'stats detail on'):
            self.assertEqual(boss.ask(request + b'\r\n'), b'OK', request)
        self.assertEqual(boss.store(b'a', b'x'), b'STORED')
        boss.send(b'lru_crawler mgdump all\r\n')
        self.assertEqual([boss.line() for _ in range(3)], [b'OK', b'mg a', b'EN'])
        boss.send(b'shutdown\r\n')
        self.assertEqual(server.process.wait(20), 0)

    def test_policies_of_administrators_door(self):
        admin = free_port()
        server = self.serve('--admin-listen', '127.0.0.1:%d' % admin, '--allow', 'admin=127.0.0.2', '--refuse', 'admin=write')
        with server.connect() as plain:
            self.assertEqual(plain.store(b'a', b'x'), b'STORED')
        with self.assertRaises((Closed, OSError)):
            with Client(admin, '127.0.0.1') as c:
                c.ask(b'mn\r\n')
        with Client(admin, '127.0.0.2') as c:
            self.assertEqual(c.store(b'a', b'y'), REFUSED)
            self.assertEqual(c.value(b'a'), b'x')
            self.assertEqual(c.ask(b'verbosity 0\r\n'), b'OK')
        server.stop()

    def test_a_unix_socket_and_a_door_for_administrators(self):
        admin = free_port()
        path = '/tmp/millrace_access_%d' % os.getpid()
        server = self.serve('--admin-listen', '127.0.0.1:%d' % admin, '--allow', '10.0.0.0/8', unix_path=path)
        with server.connect() as c:
            self.assertEqual(c.ask(b'verbosity 1\r\n'), REFUSED)
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
        with Wire(port=admin) as boss:
            self.assertEqual(boss.ask(b'verbosity 1\r\n'), b'OK')
        server.stop()

    def test_cluster(self):
        server = self.serve('--cluster', 'cache1.example:11211,cache2.example|10.0.0.2|11212', '--cluster', 'c3|c3|1')
        nodes = b'1\ncache1.example|cache1.example|11211 cache2.example|10.0.0.2|11212 c3|c3|1\n'
        with server.connect() as c:
            self.assertEqual(c.ask(b'config get cluster\r\n'), b'CONFIG cluster 0 %d' % len(nodes))
            self.assertEqual(c.read(len(nodes) + 2), nodes + b'\r\n')
            self.assertEqual(c.line(), b'END')
            self.assertEqual(c.ask(b'config get bogus\r\n'), b'ERROR')
        server.stop()


class Refusals(ServerCase):
    wants_server = False

    def setUp(self):
        self.skip_for_stand_in('options of ours')
        self.port = free_port()

    def assert_refused(self, sentence, *words):
        status, said = refused_start('-m', '8', '-t', '1', '-p', self.port, *words)
        self.assertEqual(status, 1, said)
        self.assertRegex(said, sentence)

    def test_strangers_are_not_served_unasked(self):
        for words in (('-l', '0.0.0.0'), ('-l', '*'), ('-l', '127.0.0.1,0.0.0.0'), ('-l', '0.0.0.0', '-U', self.port),
                      ('-l', '127.0.0.1', '--admin-listen', '0.0.0.0:%d' % free_port()),
                      ('-l', '0.0.0.0', '--allow', 'admin=10.0.0.0/8', '--admin-listen', '127.0.0.1:%d' % free_port())):
            self.assert_refused('strangers', *words)

    def test_strangers_are_served_when_it_was_said(self):
        for words in (['-l', '0.0.0.0', '--open'], ['-l', '0.0.0.0', '--allow', '127.0.0.0/8'],
                      ['-l', '0.0.0.0', '--allow', '0.0.0.0=127.0.0.0/8'],
                      ['-l', '0.0.0.0', '--allow', '0.0.0.0:%d=127.0.0.0/8' % self.port]):
            server = self.start('-t', '1', '-m', '8', '-p', self.port, *words, port=self.port, listens=False)
            self.assertEqual(server.stats()['threads'], '1')
            server.stop()

    def test_words_that_mean_nothing(self):
        self.assert_refused('no command; those there are: read, write', '--refuse', 'bogus')
        self.assert_refused('a command is empty', '--refuse', 'get,,set')
        self.assert_refused('there is no listener 10.9.9.9', '--allow', '10.9.9.9=10.0.0.0/8')
        self.assert_refused('there is no listener admin', '--refuse', 'admin=get')
        self.assert_refused('--allow 10.0.0.0/40', '--allow', '10.0.0.0/40')
        self.assert_refused('--allow', '--allow', 'example.org')
        self.assert_refused('a port of their own', '--admin-listen', '127.0.0.1')
        self.assert_refused('is no node', '--cluster', 'host')
        self.assert_refused('is no node', '--cluster', 'host:99999')
        self.assert_refused('is no node', '--cluster', 'a b|c|1')


if __name__ == '__main__':
    millrace_server.run()
