#!/usr/bin/python3
"""Meta commands on the wire as clients use them, over TCP, a unix socket and UDP, with keys of this worker and of others.
What single lines answer is in test_reference_answers.py; where the stand-in differs from 1.6.45, a test says so.
"""
import os
import re
import tempfile

import millrace_server
from millrace_server import ServerCase, free_port, under_both
from udp_wire import UdpWire
from wire import Wire, blob


class MetaCase(ServerCase):
    server_arguments = ['-m', '256', '-I', '4m']

    def setUp(self):
        self.c = self.connect()
        self.c.send(b'flush_all\r\n')
        self.assertEqual(self.c.line(), b'OK')

    def says(self, sent, *lines):
        """Every line that comes back; data blocks of the tests are one line each."""
        self.c.send(sent)
        for line in lines:
            self.assertEqual(self.c.line(), line, sent[:80])


class Meta(MetaCase):
    def test_many_keys_in_quiet_mode(self):
        """As Dalli 5 reads many: quiet lines with keys and opaques, an mn behind them; only hits come, in order."""
        for i in range(0, 400, 2):
            self.c.send(b'ms key%d 6 F%d q\r\nval%03d\r\n' % (i, i, i))
        self.c.send(b''.join(b'mg key%d v f k q O%d\r\n' % (i, i) for i in range(400)) + b'mn\r\n')
        for i in range(0, 400, 2):
            self.assertEqual(self.c.line(), b'VA 6 f%d kkey%d O%d' % (i, i, i))
            self.assertEqual(self.c.line(), b'val%03d' % i)
        self.assertEqual(self.c.line(), b'MN')
        self.c.send(b''.join(b'md key%d q\r\n' % i for i in range(400)) + b'mn\r\n')
        for _ in range(200):
            self.assertEqual(self.c.line(), b'NF')
        self.assertEqual(self.c.line(), b'MN')

    def test_values_of_every_size(self):
        for size in (0, 1, 1023, 1024, 1025, 4096, 4097, 65536, 1000000, 3000000):
            for key in b'a', b'b', b'c':
                value = blob(size, self.prng)
                self.c.send(b'ms %s %d T0 F3 k s\r\n' % (key, size) + value + b'\r\nmg %s v k f s\r\n' % key)
                self.assertEqual(self.c.line(), b'HD k%s s%d' % (key, size))
                self.assertEqual(self.c.line(), b'VA %d k%s f3 s%d' % (size, key, size))
                self.assertEqual(self.c.read(size + 2), value + b'\r\n')

    def test_a_binary_key(self):
        """Keys of any bytes, in base64; the classic commands see them as they are."""
        self.says(b'ms ACD/Cg== 2 b k\r\nhi\r\n', b'HD kACD/Cg== b')
        self.says(b'mg ACD/Cg== b k v\r\n', b'VA 2 kACD/Cg== b', b'hi')
        self.says(b'ms Zm9v 3 b\r\nbar\r\nget foo\r\n', b'HD', b'VALUE foo 0 3', b'bar', b'END')

    def test_one_of_many_renews(self):
        """Of all clients that meet a miss or a stale value one is told to renew it."""
        clients = [self.connect() for _ in range(8)]
        for sent, told, rest in ((b'mg new N30 v\r\n', b'VA 0 W', b'VA 0 Z'), (b'mg old v\r\n', b'VA 1 X W', b'VA 1 Z X')):
            self.says(b'ms old 1\r\nx\r\nmd old I T60\r\n', b'HD', b'HD')
            for client in clients:
                client.send(sent)
            answers = []
            for client in clients:
                answers.append(client.line())
                client.line()
            self.assertEqual(sorted(answers), sorted([told] + [rest] * 7))

    def test_time_to_live(self):
        self.says(b'ms a 1 T100\r\nx\r\nmg a t\r\n', b'HD', b'HD t100')
        self.says(b'mg a T200 t\r\nmg a t T300\r\nmg a t\r\n', b'HD t200', b'HD t200', b'HD t300')
        self.says(b'mg a T0 t\r\nmg a T-1\r\nmg a\r\n', b'HD t-1', b'HD', b'EN')

    def test_counters(self):
        self.says(b'ma n\r\nma n N0 J5 v\r\nma n D10 v\r\nma n MD D100 v\r\n', b'NF', b'VA 1', b'5', b'VA 2', b'15', b'VA 1', b'0')
        self.says(b'ms n 1\r\nx\r\nma n\r\n', b'HD', b'CLIENT_ERROR cannot increment or decrement non-numeric value')

    def test_a_refused_value_keeps_the_connection_in_step(self):
        self.c.send(b'ms a 5000000 q\r\n' + b'v' * 5000000 + b'\r\nmn\r\n')
        self.assertEqual(self.c.line(), b'SERVER_ERROR object too large for cache')
        self.assertEqual(self.c.line(), b'MN')

    def test_debug_line(self):
        self.says(b'ms a 2 T50\r\nhi\r\n', b'HD')
        self.c.send(b'me a\r\n')
        self.assertRegex(self.c.line(), rb'^ME a exp=(50|49) la=\d+ cas=\d+ fetch=no cls=\d+ size=\d+$')
        self.says(b'me none\r\n', b'EN')

    def test_statistics(self):
        self.says(b'stats reset\r\n', b'RESET')
        self.c.send(b'ms a 1\r\nx\r\nmg a v\r\nmg none\r\nmg a T9\r\nme a\r\nmd a\r\nmd a\r\nmn\r\n')
        while self.c.line() != b'MN':
            pass
        stats = self.server.stats()
        for name, count in (('cmd_set', 1), ('cmd_get', 2), ('get_hits', 1), ('get_misses', 1), ('cmd_touch', 1),
                            ('touch_hits', 1), ('cmd_meta', 1), ('delete_hits', 1), ('delete_misses', 1)):
            self.assertEqual(int(stats[name]), count, name)


Meta = under_both(Meta)


class MetaUnix(MetaCase):
    def test_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'socket')
            server = millrace_server.Server('-m', '64', '-t', '2', '--oversubscribe', '-s', path, unix_path=path)
            self.addCleanup(server.stop)
            with Wire(unix_path=path) as c:
                for i in range(20):
                    c.send(b'ms k%d 2 k\r\nhi\r\nmg k%d v\r\n' % (i, i))
                    self.assertEqual([c.line() for _ in range(3)], [b'HD kk%d' % i, b'VA 2', b'hi'])


if __name__ == '__main__':
    millrace_server.run()
