#!/usr/bin/python3
"""Clients that vanish in the middle of something, that never read, or read slowly: left alone they go, and all of what they
held goes with them, while others are served.
"""
import time

import millrace_server
from millrace_server import ServerCase, under_both
from wire import Wire, blob

MIB = 1 << 20
# What a client that floods and never reads may cost: the replies it may have waiting, and the requests of the turn in
# which that was noticed, 128 receive buffers of 8 KiB (docs/limits.md); the rest is room for the allocator.
HELD_MOST = 3 * MIB


@under_both
class UnkindClients(ServerCase):
    wants_server = False

    def test_vanished_in_the_middle_of_a_value(self):
        """With a FIN or a RST; small and large; ours and a neighbour's. What was stored before is still there."""
        server = self.start('-m', '64')
        keys = [b'key:%d' % i for i in range(8)]
        with server.connect() as c:
            for size in 10, 900, 5000, 300_000, MIB - 512:
                for key in keys:
                    self.assertEqual(c.store(key, b'old'), b'STORED')
                    for ends in Wire.reset, Wire.close, Wire.half_close:
                        victim = server.connect()
                        sent = self.prng.randrange(size)
                        victim.send(b'get %s\r\nset %s 0 0 %d\r\n' % (key, key, size) + b'n' * sent)
                        if self.prng.random() < 0.5:
                            self.assertEqual(victim.values()[key][1], b'old')   # the server has come as far as the value
                        ends(victim)
                        if ends is Wire.half_close:
                            victim.until_closed()
                            victim.close()
                self.assertEqual({k: v for k, (_, v, _) in c.fetch(*keys).items()}, {k: b'old' for k in keys})
        server.assert_nothing_held()
        server.stop()

    def test_vanished_in_the_middle_of_a_line_or_with_replies_due(self):
        server = self.start('-m', '64')
        values = [(b'key:%d' % i, b'v' * size) for i, size in enumerate((10, 2000, 5000, 100_000, 900_000, 900_000))]
        with server.connect() as c:
            for key, value in values:
                self.assertEqual(c.store(key, value), b'STORED')
        keys = b' '.join(key for key, _ in values)
        for number in range(60):
            victim = server.connect(receive_buffer=4096 if number % 2 else None)
            victim.send(b'get ' + keys + b'\r\n' + b'gets ' * (number % 3) + keys[:self.prng.randrange(20)])
            if number % 5 == 0:
                victim.read(self.prng.randrange(1, 5000))
            (victim.reset if number % 4 < 2 else victim.close)()
        with server.connect() as c:
            self.assertEqual(c.value(b'key:5'), values[5][1])
        server.assert_nothing_held()
        server.stop()

    def test_never_reading(self):
        """It is left alone: others are served, memory stays bounded, and when it goes all of it goes."""
        server = self.start('-m', '64')
        big = {b'big:%d' % i: blob(100_000, self.prng) for i in range(8)}
        with server.connect() as c:
            for key, value in big.items():
                self.assertEqual(c.store(key, value), b'STORED')
            before = server.rss_bytes()
            deaf = [server.connect(receive_buffer=4096) for _ in range(12)]
            for number, d in enumerate(deaf):
                d.socket.settimeout(0.2)
                wish = b'get %s\r\n' % b' '.join(big) if number % 2 else b'stats\r\nget none\r\nversion\r\n'
                try:
                    while True:   # until the server leaves it unread and the kernel's buffers are full
                        d.send(wish * 2000)
                except TimeoutError:
                    pass
            for _ in range(200):
                key = self.prng.choice(list(big))
                self.assertEqual(c.value(key), big[key])
            stats = c.stats()
            self.assertGreater(int(stats['conn_yields']), 0)
            if not millrace_server.binary.is_sanitized:
                grown = server.rss_bytes() - before
                print('%d clients that do not read: %.1f MiB each' % (len(deaf), grown / MIB / len(deaf)))
                self.assertLess(grown, len(deaf) * HELD_MOST)
            # What they hold can be deleted and its place used: eviction is not stuck on it.
            for i in range(2000):
                c.send(b'set fill:%d 0 0 100000 noreply\r\n%s\r\n' % (i, b'f' * 100_000))
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
            self.assertEqual(c.value(b'fill:1999'), b'f' * 100_000)
            for number, d in enumerate(deaf):
                (d.reset if number % 3 else d.close)()
        server.assert_nothing_held()
        server.stop()

    def test_reading_slowly_gets_all_in_the_end(self):
        server = self.start('-m', '64')
        values = {b'key:%d' % i: blob(self.prng.randrange(200_000), self.prng) for i in range(12)}
        with server.connect() as c:
            for key, value in values.items():
                self.assertEqual(c.store(key, value), b'STORED')
        slow = server.connect(receive_buffer=4096)
        keys = [self.prng.choice(list(values)) for _ in range(60)]
        slow.send(b''.join(b'get %s\r\n' % key for key in keys))
        for i, key in enumerate(keys):
            if i % 10 == 0:
                time.sleep(0.05)
            expected = b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (key, len(values[key]), values[key])
            self.assertEqual(slow.read(len(expected)), expected)
        slow.close()
        server.assert_nothing_held()
        server.stop()


if __name__ == '__main__':
    millrace_server.run()
