#!/usr/bin/python3
"""The holes that memcached and its kin have had, by class, each named after its record: what broke them is sent to us, over
the wire, and the server goes on, holds nothing, and says nothing that a sanitizer would.

Each test ends with a command that works on another connection; the class ends with the check that nothing is held.

Elsewhere: CVE-2013-7239, 2016-8706, 2021-37519, what 1.6.43 did with empty lines before a login, and Redis's CVE-2025-21605
before one: test_authentication.py. CVE-2026-47783, passwords compared in constant time: unit/auth. Watchers that go in any
order: test_watch.py. No memory left: test_faults.py. Nothing here runs scripts, matches patterns or reads
the contents of a cache from a file, so the holes of those have no place."""
import os
import random
import socket
import struct
import tempfile
import time

import millrace_server
from millrace_server import ServerCase, under_both
from wire import Closed, Wire


def binary(opcode, key=b'', extras=b'', value=b'', *, key_bytes=None, extras_bytes=None, body=None, cas=0, magic=0x80):
    """A binary request, with lengths that may lie."""
    return struct.pack('>BBHBBHIIQ', magic, opcode, len(key) if key_bytes is None else key_bytes,
                       len(extras) if extras_bytes is None else extras_bytes, 0, 0,
                       len(key) + len(extras) + len(value) if body is None else body, 0, cas) + extras + key + value


@under_both
class KnownHoles(ServerCase):
    server_arguments = ['-m', '64', '-A']

    def setUp(self):
        self.skip_for_stand_in('1.6.18 has some of these holes')
        self.c = self.connect()

    def tearDown(self):
        if getattr(self, 'c', None):
            self.assertEqual(self.c.store(b'alive', b'x'), b'STORED')
            self.assertEqual(self.c.value(b'alive'), b'x')
        super().tearDown()

    def throw(self, data, reads=True):
        """Sends it on a connection of its own; whatever comes back is fine, a server that ends is not."""
        with self.server.connect(timeout=5) as c:
            try:
                c.send(data)
                c.half_close()
                if reads:
                    return c.until_closed()
            except (OSError, Closed):
                pass
        return b''

    # --- lengths that lie, binary protocol

    def test_cve_2016_8704_body_shorter_than_key_and_extras(self):
        for opcode in (0x0e, 0x0f, 0x19, 0x1a):  # append, prepend, and their quiet forms
            for key_bytes in (1, 250, 251, 0xfa00, 0xffff):
                self.throw(binary(opcode, key_bytes=key_bytes, body=0))
                self.throw(binary(opcode, b'k' * 10, key_bytes=key_bytes, body=1))

    def test_cve_2016_8705_update_lengths_wrap(self):
        for opcode in (0x01, 0x02, 0x03, 0x11, 0x12, 0x13):
            for body in (0, 7, 8, 0x7fffffff, 0x80000000, 0xffffffd0, 0xffffffff):
                self.throw(binary(opcode, b'key', b'\0' * 8, b'v' * 16, body=body))

    def test_cve_2016_8706_sasl_lengths_wrap(self):
        for opcode in (0x20, 0x21, 0x22):
            for body in (0, 1, 0x7fffffff, 0xffffffff):
                self.throw(binary(opcode, b'PLAIN', value=b'\0u\0p', body=body))

    def test_cve_2011_4971_and_2017_9951_negative_lengths(self):
        for opcode in range(0x25):
            for body in (0x80000000, 0xffffffff, 0xfffffff0):
                self.throw(binary(opcode, b'k', body=body))

    def test_cve_2020_10931_extras_length(self):
        for opcode in range(0x25):
            for extras_bytes in (1, 3, 5, 21, 127, 128, 255):
                self.throw(binary(opcode, b'k', b'e' * 4, extras_bytes=extras_bytes, body=300) + b'x' * 300)

    def test_binary_bytes_at_random(self):
        prng = self.prng
        for _ in range(300):
            header = bytearray(binary(prng.randrange(256), b'k' * prng.randrange(20)))
            for _ in range(prng.randrange(1, 6)):
                header[prng.randrange(len(header))] = prng.randrange(256)
            header[0] = 0x80
            self.throw(bytes(header) + prng.randbytes(prng.randrange(200)))

    # --- text

    def test_cve_2013_0179_and_7290_7291_keys_without_an_end_in_the_log(self):
        """Keys, whatever their bytes, are not printed; -vvv neither."""
        server = self.start('-vvv', '-m', '8')
        with server.connect() as c:
            key = bytes(b for b in range(1, 256) if b not in b' \r\n\t')[:250]
            self.assertEqual(c.store(key, b'x'), b'STORED')
            self.assertEqual(c.value(key), b'x')
            c.send(b'delete ' + key + b'\r\nget ' + b'\xff' * 250 + b'\r\n')
            self.assertEqual(c.line(), b'DELETED')
            self.assertEqual(c.line(), b'END')
        server.stop()

    def test_cve_2018_1000127_references_to_one_item(self):
        """A value that is being sent to many, and is replaced, deleted and flushed meanwhile."""
        self.c.store(b'big', b'v' * 300_000)
        readers = [self.connect(receive_buffer=4096) for _ in range(30)]
        for r in readers:
            r.send(b'get' + b' big' * 100 + b'\r\n')
        for turn in range(20):
            self.c.store(b'big', b'w' * (300_000 + turn))
            self.c.ask(b'delete big\r\n')
            self.c.store(b'big', b'v' * 300_000)
        self.c.ask(b'flush_all\r\n')
        for r in readers[::2]:
            r.reset()
        for r in readers[1::2]:
            for _ in range(3):
                line = r.line()
                if not line.startswith(b'VALUE big 0 '):
                    self.assertIn(line, (b'END', b'SERVER_ERROR out of memory writing get response'))
                    break
                value = r.read(int(line.split()[3]))
                self.assertIn(value[:1] * len(value), (value,))
                self.assertEqual(r.read(2), b'\r\n')
            r.reset()

    def test_cve_2019_11596_lru_without_its_argument(self):
        for line in (b'lru', b'lru mode', b'lru tune', b'lru temp_ttl', b'lru mode ', b'lru  tune 1', b'lru tune 1 2', b'lru tune 1 2 3'):
            self.assertEqual(self.c.ask(line + b'\r\n'), b'ERROR', line)

    def test_missing_arguments_of_every_administrators_command(self):
        for words in (b'slabs', b'slabs reassign', b'slabs reassign 1', b'slabs automove', b'slabs automove window',
                      b'slabs automove ratio', b'lru_crawler', b'lru_crawler crawl', b'lru_crawler sleep', b'lru_crawler tocrawl',
                      b'lru_crawler metadump', b'lru_crawler mgdump', b'cache_memlimit', b'verbosity', b'config', b'config get',
                      b'stats cachedump', b'stats cachedump 1', b'stats detail', b'extstore', b'refresh_certs', b'misbehave'):
            self.assertRegex(self.c.ask(words + b'\r\n'), rb'^(CLIENT_|SERVER_)?ERROR', words)

    def test_cve_2019_15026_unix_peers_in_stats_conns(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 's' * (100 - len(folder)))
            server = self.start('-m', '8', unix_path=path)
            with server.connect() as c, server.connect() as bound:
                conns = c.stats(b'conns')
                self.assertTrue(all(v.startswith('unix') for n, v in conns.items() if n.endswith('addr')), conns)
                self.assertEqual(bound.ask(b'mn\r\n'), b'MN')
            server.stop()

    def test_cve_2020_22570_meta_commands_that_are_none(self):
        prng = self.prng
        self.throw(b'mg\r\nms\r\nmd\r\nma\r\nme\r\n')
        for _ in range(200):
            line = prng.choice([b'mg', b'ms', b'md', b'ma', b'me'])
            for _ in range(prng.randrange(30)):
                line += b' ' + prng.choice([b'k', b'b', b'v', b'q', b'O' + b'x' * prng.randrange(40), b'T-1', b'S0', b'C', b'M', b'MZ',
                                            b'N99999999999999999999', b'F', b'F4294967296', b'', b'\x80', b'=' * 300])
            self.throw(line + b'\r\nmn\r\n')

    def test_cve_2023_46852_spaces_in_a_multiget(self):
        for count in (1, 100, 2047, 2048, 100_000):
            self.throw(b'get' + b' ' * count + b'\r\n')
            self.throw(b'get a' + b' ' * count + b'b' + b' ' * count + b'\r\n')
            self.throw(b'gets' + b' a' * count + b'\r\n')

    def test_cve_2023_46853_bare_line_feeds(self):
        for data in (b'\n', b'\n' * 5000, b'get a\n', b'set a 0 0 1\nx\r\n', b'set a 0 0 1\nx\n', b'\r', b'\r\n\n\r', b'get\n', b'mg a v\n'):
            for repeat in (1, 7):
                self.throw(data * repeat)

    def test_2026_all_spaces_line(self):
        for count in (1, 2, 1023, 2046, 2047, 2048, 2049, 65536):
            self.throw(b' ' * count + b'\r\nmn\r\n')

    def test_2026_empty_lines_before_anything(self):
        self.throw(b'\r\n' * 10000 + b'mn\r\n')
        self.throw(b'\r\n' * 10 + binary(0x0b))

    def test_2026_automove_window(self):
        for window in (b'0', b'1', b'2', b'1801', b'2147483648', b'4294967295', b'4294967296', b'-1', b'x', b''):
            self.assertTrue(self.c.ask(b'slabs automove window ' + window + b'\r\n').startswith(b'CLIENT_ERROR'), window)

    def test_2026_slab_ids_at_and_beyond_the_end(self):
        for i in (0, -1, -2, 1, 62, 63, 64, 65, 255, 256, 2147483647, -2147483648):
            for j in (0, -1, 1, 62, 63, 64, 255):
                self.assertRegex(self.c.ask(b'slabs reassign %d %d\r\n' % (i, j)), rb'^(OK|SAME|BADCLASS|NOSPARE)')
            self.assertRegex(self.c.ask(b'lru_crawler crawl %d\r\n' % i), rb'^(OK|BUSY|BADCLASS)')
            self.c.send(b'stats cachedump %d 1\r\nmn\r\n' % i)
            while self.c.line() != b'MN':
                pass

    def test_2026_bad_ms_lines_leave_nothing_behind(self):
        for line in (b'ms k', b'ms k S2', b'ms k -1', b'ms k 99999999999', b'ms k 2 T', b'ms k 2 MX', b'ms k 2 O' + b'x' * 99,
                     b'ms ' + b'k' * 251 + b' 2', b'ms k 5000000', b'ms k 2 F99999999999', b'ms k 2 b'):
            for _ in range(20):
                self.throw(line + b'\r\nhi\r\n')
                self.throw(line + b'\r\nhi\r\n', reads=False)

    def test_2026_flags_of_meta_that_are_no_numbers(self):
        for flag in (b'F', b'F-1', b'Fx', b'F1x', b'F4294967296', b'F99999999999999999999', b'F ' + b'1' * 300, b'F\x80'):
            with self.server.connect() as c:
                c.send(b'ms k 2 ' + flag + b'\r\nhi\r\nmn\r\n')
                answer = c.line()
                self.assertRegex(answer, rb'^(HD|CLIENT_ERROR .*)$', flag)
                while answer != b'MN':
                    self.assertRegex(answer, rb'^(HD|ERROR|CLIENT_ERROR .*)$', flag)
                    answer = c.line()

    def test_2026_sixteen_bits_of_references_by_binary(self):
        """More gets of one item than 16 bits count, none of them read, while it is replaced and deleted."""
        self.c.store(b'big', b'v' * 100_000)
        readers = [self.connect(receive_buffer=4096) for _ in range(40)]
        for r in readers:
            r.send(binary(0x0c, b'big') * 2000)  # not quiet: while it is deleted, that is said
        for turn in range(10):
            self.c.store(b'big', b'w' * (100_000 + turn))
            self.c.ask(b'delete big\r\n')
            self.c.store(b'big', b'v' * 100_000)
        for r in readers[::2]:
            header = r.read(24)
            self.assertEqual(header[:2], b'\x81\x0c')
            body = r.read(int.from_bytes(header[8:12], 'big'))[7:]
            self.assertEqual(body, body[:1] * len(body))
        for r in readers:
            r.reset()

    def test_2026_decrements_of_one_number_by_many(self):
        self.c.store(b'n', b'100000')
        clients = [self.connect() for _ in range(16)]
        for _ in range(10):
            for i, c in enumerate(clients):
                c.send((b'decr n 3\r\n' if i % 2 else b'ma n MD D3\r\n') * 20)
            for c in clients:
                for _ in range(20):
                    self.assertRegex(c.line(), rb'^(HD|\d+ *)$')
        self.assertEqual(self.c.value(b'n').rstrip(), b'%d' % (100_000 - 16 * 10 * 20 * 3))

    def test_2026_bad_terminator_of_a_large_set(self):
        """memcached#1306: input is never asserted about."""
        for size in (1, 5000, 520_000, 1_000_000):
            with self.server.connect() as c:
                c.send(b'set k 0 0 %d\r\n%sXX' % (size, b'v' * size))
                self.assertEqual(c.line(), b'CLIENT_ERROR bad data chunk')

    # --- memory

    def test_redis_2025_21605_output_to_who_does_not_read(self):
        self.c.store(b'out', b'v' * 1000)
        before = self.server.rss_bytes()
        deaf = [self.connect(receive_buffer=4096) for _ in range(20)]
        for d in deaf:
            d.socket.setblocking(False)
            try:
                while True:
                    d.socket.send(b'get out\r\nstats\r\nbogus\r\n' * 200)
            except BlockingIOError:
                pass
        self.assertEqual(self.c.value(b'out'), b'v' * 1000)
        if not millrace_server.binary.is_sanitized:
            self.assertLess(self.server.rss_bytes() - before, 48 << 20)
        for d in deaf:
            d.reset()

    def test_redis_2026_23479_a_client_that_waits_is_thrown_out(self):
        """Ended by the idle timeout while a dump, a value or a watcher of its is under way."""
        server = self.start('-m', '32', '-o', 'idle_timeout=1')
        with server.connect() as c:
            for i in range(0, 20000, 500):
                c.send(b''.join(b'set k%d 0 0 10 noreply\r\n0123456789\r\n' % n for n in range(i, i + 500)))
            c.ask(b'mn\r\n')
            waiting = [server.connect(receive_buffer=4096) for _ in range(12)]
            for i, w in enumerate(waiting):
                w.send((b'lru_crawler metadump all\r\n', b'set half 0 0 900000\r\nxxx', b'watch fetchers mutations\r\n',
                        b'get k1\r\n' * 100)[i % 4])
            until = time.monotonic() + 3
            while time.monotonic() < until:
                c.send(b'get k1\r\n' * 50)
                for _ in range(50):
                    c.values()
            for w in waiting:
                w.close()
        server.assert_nothing_held()
        server.stop()

    # --- UDP

    def test_cve_2018_1000115_udp_is_off_unless_asked_for(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(('127.0.0.1', self.server.port))
            s.settimeout(1)
            with self.assertRaises((ConnectionRefusedError, TimeoutError)):
                s.send(b'\0\1\0\0\0\1\0\0stats\r\n')
                s.recv(65536)

    def test_cve_2022_48571_datagrams_that_say_they_are_several(self):
        port = millrace_server.free_port()
        server = self.start('-m', '8', '-U', port, '-p', port, '-l', '127.0.0.1', port=port, listens=False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect(('127.0.0.1', port))
            prng = random.Random(millrace_server.SEED)
            for _ in range(500):
                header = struct.pack('>HHHH', *(prng.choice((0, 1, 2, 255, 65535)) for _ in range(4)))
                s.send(prng.choice((header, header[:prng.randrange(8)], header + b'get a\r\n', header + b'set a 0 0 99\r\n',
                                    header + b'lru_crawler metadump all\r\n', header + b'watch\r\n', header + prng.randbytes(50))))
            s.settimeout(5)
            s.send(b'\x77\x77\0\0\0\1\0\0version\r\n')
            while not s.recv(65536).startswith(b'\x77\x77\0\0\0\1\0\0VERSION '):
                pass
        server.stop()


if __name__ == '__main__':
    millrace_server.run()
