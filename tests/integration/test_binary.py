#!/usr/bin/python3
"""The binary protocol on the wire, over TCP, a unix socket and UDP, with keys of this worker and of others. What is asked
and what has to be answered was seen at memcached 1.6.18; with that as the binary, these tests hold it to the same.
"""
import os
import struct
import tempfile
import time

import millrace_server
from binary_wire import *
from millrace_server import ServerCase, free_port, under_both
from udp_wire import UdpWire
from wire import Closed, Wire, blob


class BinaryCase(ServerCase):
    server_arguments = ['-m', '256', '-I', '1m']

    def setUp(self):
        self.c = self.binary()
        self.assertEqual(self.c.ask(packet(FLUSH)).status, OK)

    def binary(self, server=None, **options):
        server = server or self.server
        where = {'unix_path': server.unix_path} if server.unix_path else {'port': server.port}
        c = BinaryWire(**where, timeout=30 * millrace_server.binary.patience, **options)
        self.addCleanup(c.close)
        return c

    def keys(self, count):
        """Enough of them that each worker owns some."""
        return [b'%s:%d' % (self.id().rsplit('.', 1)[1].encode(), i) for i in range(count)]

    def says(self, request, status, value=None, **fields):
        reply = self.c.ask(request)
        self.assertEqual(reply.status, status, reply)
        if value is not None:
            self.assertEqual(reply.value, value)
        for name, expected in fields.items():
            self.assertEqual(getattr(reply, name), expected, reply)
        return reply


@under_both
class Commands(BinaryCase):
    def test_gets_say_what_they_are_asked_to_say(self):
        for key in self.keys(20):
            stored = self.says(storing(SET, key, b'hello', flags=0xdeadbeef), OK, b'')
            self.assertNotEqual(stored.cas, 0)
            flags = struct.pack('>I', 0xdeadbeef)
            for opcode, told in ((GET, b''), (GETQ, b''), (GETK, key), (GETKQ, key)):
                self.says(packet(opcode, key, opaque=7), OK, b'hello', extras=flags, key=told, opaque=7, cas=stored.cas,
                          opcode=opcode)
            for opcode, told in ((GAT, b''), (GATQ, b''), (GATK, key), (GATKQ, key)):
                self.says(timed(opcode, key, 100), OK, b'hello', extras=flags, key=told, opcode=opcode)
            self.says(timed(TOUCH, key, 100), OK, b'', extras=flags, key=b'')

    def test_misses(self):
        for key in self.keys(20):
            self.says(packet(GET, key), NOT_FOUND, b'Not found')
            self.says(packet(GETK, key), NOT_FOUND, b'', key=key)
            self.says(timed(GAT, key, 9), NOT_FOUND, b'Not found')
            self.says(timed(GATK, key, 9), NOT_FOUND, b'', key=key)
            self.says(timed(TOUCH, key, 9), NOT_FOUND, b'Not found')
            quiet = packet(GETQ, key) + packet(GETKQ, key) + timed(GATQ, key, 9) + timed(GATKQ, key, 9)
            self.assertEqual(self.c.until_noop(quiet), [])

    def test_what_stores(self):
        for key in self.keys(20):
            self.says(storing(REPLACE, key, b'x'), NOT_FOUND, b'Not found')
            self.says(storing(ADD, key, b'one'), OK)
            self.says(storing(ADD, key, b'x'), EXISTS, b'Data exists for key.')
            self.says(storing(REPLACE, key, b'two'), OK)
            self.says(packet(APPEND, key, b'', b'>'), OK)
            self.says(packet(PREPEND, key, b'', b'<'), OK)
            self.says(packet(GET, key), OK, b'<two>')
            self.says(packet(APPEND, key + b'.', b'', b'x'), NOT_STORED, b'Not stored.')
            self.says(packet(PREPEND, key + b'.', b'', b'x'), NOT_STORED)
            self.says(packet(DELETE, key), OK, b'')
            self.says(packet(DELETE, key), NOT_FOUND)
            self.says(storing(SET, key, b''), OK)
            self.says(packet(GET, key), OK, b'')

    def test_cas_in_every_command(self):
        for key in self.keys(20):
            for opcode in (SET, ADD, REPLACE):
                self.says(storing(opcode, key, b'x', cas=999), NOT_FOUND)
            cas = self.says(storing(SET, key, b'1'), OK).cas
            wrong = cas + 1000
            self.says(storing(SET, key, b'x', cas=wrong), EXISTS)
            self.says(storing(REPLACE, key, b'x', cas=wrong), EXISTS)
            self.says(packet(APPEND, key, b'', b'x', cas=wrong), EXISTS)
            self.says(packet(PREPEND, key, b'', b'x', cas=wrong), EXISTS)
            self.says(counting(INCR, key, 1, cas=wrong), EXISTS)
            self.says(packet(DELETE, key, cas=wrong), EXISTS)
            self.says(packet(GET, key), OK, b'1', cas=cas)
            cas = self.says(storing(SET, key, b'2', cas=cas), OK).cas
            cas = self.says(packet(APPEND, key, b'', b'0', cas=cas), OK).cas
            cas = self.says(counting(INCR, key, 1, cas=cas), OK, struct.pack('>Q', 21)).cas
            self.says(packet(GET, key), OK, b'21', cas=cas)
            self.says(packet(DELETE, key, cas=cas), OK)

    def test_numbers(self):
        def number(n):
            return struct.pack('>Q', n)
        for key in self.keys(20):
            self.says(counting(INCR, key, 1, 5), NOT_FOUND)
            self.says(counting(INCR, key, 1, 5, 0), OK, number(5))
            self.says(counting(INCR, key, 1, 5, 0), OK, number(6))
            self.says(counting(DECR, key, 100, 5, 0), OK, number(0))
            self.says(packet(GET, key), OK, b'0')
            self.says(counting(DECR, key + b'd', 1, 2 ** 64 - 1, 0), OK, number(2 ** 64 - 1))
            self.says(packet(GET, key + b'd'), OK, b'18446744073709551615')
            self.says(counting(INCR, key + b'd', 3), OK, number(2))
            self.says(storing(SET, key, b'abc'), OK)
            self.says(counting(INCR, key, 1, 5, 0), NOT_NUMERIC, b'Non-numeric server-side value for incr or decr')
            self.assertEqual([r.status for r in self.c.until_noop(counting(INCRQ, key, 1) + counting(DECRQ, key + b'd', 1))],
                             [NOT_NUMERIC])

    def test_a_number_that_is_made_expires_as_it_was_asked_to(self):
        for key in self.keys(8):
            self.says(counting(INCR, key, 1, 5, 1), OK)
        time.sleep(2.2)
        for key in self.keys(8):
            self.says(packet(GET, key), NOT_FOUND)

    def test_times_are_not_negative(self):
        for key in self.keys(8):
            for exptime in (0xffffffff, 0x80000000):
                self.says(storing(SET, key, b'y', exptime=exptime), OK)
                self.says(packet(GET, key), OK, b'y')
            self.says(storing(SET, key, b'y', exptime=2678400), OK)   # a date in 1970
            self.says(packet(GET, key), NOT_FOUND)

    def test_quiet_requests_say_only_what_is_not_expected(self):
        keys = self.keys(40)
        sent = b''.join(storing(SETQ, k, k) + storing(REPLACEQ, k, k) + packet(APPENDQ, k, b'', b'!') +
                        packet(PREPENDQ, k, b'', b'?') + counting(INCRQ, k + b'n', 1, 1, 0) for k in keys)
        self.assertEqual(self.c.until_noop(sent), [])
        sent = b''.join(storing(ADDQ, k, k, opaque=1) + storing(REPLACEQ, k + b'.', k, opaque=2) +
                        packet(DELETEQ, k + b'.', opaque=3) + packet(APPENDQ, k + b'.', b'', b'x', opaque=4) for k in keys)
        self.assertEqual([(r.opaque, r.status) for r in self.c.until_noop(sent)],
                         [(1, EXISTS), (2, NOT_FOUND), (3, NOT_FOUND), (4, NOT_STORED)] * len(keys))
        self.assertEqual([r.value for r in self.c.until_noop(b''.join(packet(GETQ, k) for k in keys))],
                         [b'?' + k + b'!' for k in keys])
        self.assertEqual(self.c.until_noop(b''.join(packet(DELETEQ, k) for k in keys)), [])
        self.says(packet(GET, keys[0]), NOT_FOUND)

    def test_many_quiet_gets_and_a_noop_as_clients_fetch_many(self):
        keys = self.keys(2000)
        self.c.send(b''.join(storing(SETQ, k, k * 3, flags=i) for i, k in enumerate(keys) if i % 3))
        asked = b''.join(packet(GETKQ, k, opaque=i) for i, k in enumerate(keys))
        found = self.c.until_noop(asked)
        self.assertEqual([(r.opaque, r.key, r.value) for r in found],
                         [(i, k, k * 3) for i, k in enumerate(keys) if i % 3])

    def test_keys_are_any_bytes(self):
        for key in (b'a b', b'\r\n', b'\0', b'\xff' * 250, b'noreply', b'END\r\n'):
            self.says(storing(SET, key, b'v' + key), OK)
            self.says(packet(GETK, key), OK, b'v' + key, key=key)

    def test_values_of_text_and_binary_are_the_same(self):
        with self.server.connect() as text:
            for key in self.keys(10):
                self.says(storing(SET, key, b'from binary', flags=77), OK)
                text.send(b'gets %s\r\n' % key)
                cas = int(text.line().rsplit(b' ', 1)[1])
                self.assertEqual(text.line(), b'from binary')
                self.assertEqual(text.line(), b'END')
                self.says(packet(GET, key), OK, cas=cas)
                self.assertEqual(text.store(key, b'from text', flags=5), b'STORED')
                self.says(packet(GET, key), OK, b'from text', extras=struct.pack('>I', 5))

    def test_flush(self):
        for flush in (packet(FLUSH), packet(FLUSH, b'', struct.pack('>I', 0))):
            for key in self.keys(10):
                self.says(storing(SET, key, b'x'), OK)
            self.says(flush, OK, b'')
            for key in self.keys(10):
                self.says(packet(GET, key), NOT_FOUND)
        self.says(storing(SET, b'later', b'x'), OK)
        self.assertEqual(self.c.until_noop(packet(FLUSHQ, b'', struct.pack('>I', 2))), [])
        self.says(packet(GET, b'later'), OK, b'x')
        time.sleep(3.2)
        self.says(packet(GET, b'later'), NOT_FOUND)
        self.says(storing(SET, b'later', b'x'), OK)
        self.says(packet(FLUSH, b'', struct.pack('>I', 2678400)), OK)   # a date in 1970: nothing is flushed
        self.says(packet(GET, b'later'), OK, b'x')

    def test_version_noop_quit(self):
        self.assertRegex(self.says(packet(VERSION), OK).value, rb'^[1-9]\d*\.\d+\.\d+$')
        self.says(packet(NOOP, opaque=3), OK, b'', opaque=3)
        self.assertEqual(self.c.ask(packet(QUIT, opaque=4)), Reply(QUIT, OK, b'', b'', b'', 4, 0))
        self.assertEqual(self.c.until_closed(), b'')
        silent = self.binary()
        silent.send(packet(GETQ, b'nothing') + packet(QUITQ) + packet(NOOP))
        self.assertEqual(silent.until_closed(), b'')


@under_both
class Statistics(BinaryCase):
    def test_the_names_are_those_of_the_text(self):
        for key in self.keys(20):
            self.says(storing(SET, key, key), OK)
        with self.server.connect() as text:
            for words in (b'', b'settings', b'items', b'slabs', b'sizes'):
                binary = self.c.statistics(words)
                names = [name.encode() for name in text.stats(words)]
                self.assertEqual(list(binary), names, words)
                self.assertTrue(names)
        general = self.c.statistics()
        self.assertGreaterEqual(int(general[b'curr_items']), 20)   # flushed ones are counted until they are met
        self.assertEqual(general[b'pid'], b'%d' % self.server.pid)

    def test_reset_detail_and_what_there_is_not(self):
        self.assertEqual(self.c.statistics(b'bogus'), NOT_FOUND)
        self.assertEqual(self.c.statistics(b'detail'), NOT_FOUND)
        self.assertEqual(self.c.statistics(b'cachedump 1 0'), NOT_FOUND)
        self.assertEqual(self.c.statistics(b'detail on'), {})
        self.says(storing(SET, b'pre:1', b'1'), OK)
        self.says(packet(GET, b'pre:1'), OK)
        self.says(packet(GET, b'pre:2'), NOT_FOUND)
        self.says(packet(DELETE, b'pre:1'), OK)
        self.assertIn(b'PREFIX pre get 2 hit 1 set 1 del 1\r\n', self.c.statistics(b'detail dump')[b'detailed'])
        self.assertEqual(self.c.statistics(b'detail off'), {})
        self.assertEqual(self.c.statistics(b'reset'), {})
        self.assertEqual(self.c.statistics()[b'cmd_get'], b'0')

    def test_requests_count_as_in_text(self):
        self.assertEqual(self.c.statistics(b'reset'), {})
        self.c.until_noop(storing(SET, b'a', b'1') + packet(GET, b'a') + packet(GETQ, b'b') + timed(GAT, b'a', 9) +
                          timed(TOUCH, b'b', 9) + packet(DELETE, b'b') + counting(INCR, b'a', 1) + counting(DECR, b'b', 1) +
                          storing(SET, b'a', b'2', cas=1) + packet(FLUSH))
        found = self.c.statistics()
        self.assertEqual({n: int(found[n.encode()]) for n in (
            'cmd_get', 'get_hits', 'get_misses', 'cmd_set', 'cmd_touch', 'touch_hits', 'touch_misses', 'delete_misses',
            'incr_hits', 'decr_misses', 'cas_badval', 'cmd_flush')},
            {'cmd_get': 2, 'get_hits': 1, 'get_misses': 1, 'cmd_set': 2, 'cmd_touch': 2, 'touch_hits': 1, 'touch_misses': 1,
             'delete_misses': 1, 'incr_hits': 1, 'decr_misses': 1, 'cas_badval': 1, 'cmd_flush': 1})


@under_both
class Values(BinaryCase):
    def test_of_every_size_cut_anywhere(self):
        sizes = (0, 1, 1000, 1024, 1025, 4096, 4097, 20000, 100000, 524288, 1000000)
        for size in sizes:
            value = blob(size, self.prng)
            for key in self.keys(6):
                request = storing(SET, key, value, flags=size, opaque=size)
                sent = 0
                while sent < len(request):
                    part = self.prng.randrange(1, 1 + max(30, len(request) // 4))
                    self.c.send(request[sent:sent + part])
                    sent += part
                reply = self.c.reply()
                self.assertEqual((reply.status, reply.opaque), (OK, size))
            for key in self.keys(6):
                self.says(packet(GETK, key), OK, value, key=key, extras=struct.pack('>I', size))
        replies = self.c.until_noop(b''.join(packet(GETQ, key) for key in self.keys(6)) * 5)
        self.assertEqual([r.value for r in replies], [value] * 30)

    def test_large_ones_are_changed_like_small_ones(self):
        value = blob(300000, self.prng)
        for key in self.keys(6):
            cas = self.says(storing(SET, key, value), OK).cas
            self.says(storing(SET, key, value, cas=cas + 1), EXISTS)
            self.says(storing(ADD, key, value), EXISTS)
            self.says(storing(REPLACE, key + b'.', value), NOT_FOUND)
            self.says(packet(APPEND, key, b'', value), OK)
            self.says(packet(PREPEND, key, b'', b'<'), OK)
            self.says(packet(GET, key), OK, b'<' + value + value)
            self.assertEqual(self.c.until_noop(storing(SETQ, key, value)), [])
            self.assertEqual([r.status for r in self.c.until_noop(storing(ADDQ, key, value))], [EXISTS])

    def test_too_large_ones_are_passed_over(self):
        large = b'x' * (1024 * 1024 + 100)
        for key in self.keys(6):
            self.says(storing(SET, key, b'old'), OK)
            for opcode, left in ((ADD, b'old'), (REPLACE, b'old'), (SETQ, None)):
                replies = self.c.until_noop(storing(opcode, key, large))
                self.assertEqual([(r.opcode, r.status, r.value) for r in replies], [(opcode, TOO_LARGE, b'Too large.')])
                reply = self.c.ask(packet(GET, key))
                self.assertEqual(reply.value if left else reply.status, left or NOT_FOUND)

    def test_clients_that_go_away_in_the_middle_leave_nothing(self):
        for size in (500, 5000, 500000):
            for key in self.keys(8):
                c = self.binary()
                c.send(storing(SET, key, b'x' * size)[:-1])
                (c.reset if self.prng.randrange(2) else c.close)()
        for key in self.keys(8):
            self.says(packet(GET, key), NOT_FOUND)


@under_both
class BadRequests(BinaryCase):
    def last_word(self, request):
        """The one reply to a request after which the server closes."""
        c = self.binary()
        c.send(request)
        replies = c.last_replies()
        self.assertEqual(len(replies), 1, replies)
        return replies[0].status, replies[0].value

    def test_unknown_ones_are_passed_over(self):
        for opcode in (0x1b, 0x30, 0xf0, 0xff):
            self.assertEqual(self.c.ask(packet(opcode, opaque=9)),
                             Reply(opcode, UNKNOWN, b'', b'', b'Unknown command', 9, 0))
            self.says(packet(opcode, b'', b'', b'v' * 50), UNKNOWN)
        self.says(packet(SASL_LIST), UNKNOWN)
        self.says(packet(SASL_AUTH, b'PLAIN', b'', b'\0u\0p'), UNKNOWN)
        self.says(packet(NOOP), OK)

    def test_what_cannot_be_closes(self):
        for request in (packet(GET), packet(GET, b'k' * 251), packet(GET, b'k', b'1234'), packet(GET, b'k', b'', b'v'),
                        packet(SET, b'k', b'1234', b'v'), packet(SET, b'', b'12345678', b'v'), packet(APPEND, b'k', b'1234', b'v'),
                        packet(INCR, b'k', b'12345678'), packet(TOUCH, b'k'), packet(NOOP, b'', b'', b'x'),
                        packet(VERSION, b'k'), packet(FLUSH, b'k'), packet(FLUSH, b'', b'12345678'), packet(QUIT, b'k'),
                        packet(DELETE, b'k', b'', b'v'), packet(STAT, b'items', b'1234')):
            self.assertEqual(self.last_word(request), (INVALID, b'Invalid arguments'), request)

    def test_lengths_that_lie_close(self):
        for request in (packet(GET, b'abc', body=2), packet(SET, b'abc', b'12345678', body=10)):
            self.assertEqual(self.last_word(request), (UNKNOWN, b'Unknown command'))

    def test_another_protocol_behind_closes(self):
        for junk in (packet(NOOP, magic=0x81), b'get a\r\nget b\r\nget c\r\nget d\r\n'):
            c = self.binary()
            c.send(packet(NOOP) + junk)
            try:
                replies = c.last_replies()
            except Closed as closed:
                replies = split_replies(closed.got)
            self.assertEqual([r.opcode for r in replies], [NOOP])

    def test_four_gigabytes_that_never_come_take_nothing(self):
        self.skip_for_stand_in('answers when all of it has come')
        before = self.server.rss_bytes()
        for i in range(50):
            c = self.binary()
            c.send(packet(SET, b'huge:%d' % i, b'12345678', b'x' * 1000, body=0xfffffff0))
            self.assertEqual(c.reply().status, TOO_LARGE)
        self.assertLess(self.server.rss_bytes() - before, 32 << 20)


@under_both
class KnownHoles(BinaryCase):
    """Holes that memcached's binary protocol has had: none of them is here, and the server serves on."""

    def setUp(self):
        self.skip_for_stand_in('it answers some of these when all of it has come, and some never')
        super().setUp()

    def closes_with(self, request, status):
        c = self.binary()
        c.send(request)
        self.assertEqual([r.status for r in c.last_replies()], [status], request[:40])
        self.says(packet(NOOP), OK)

    def passes_over(self, request):
        """A length that no value may have: said so, and nobody is waited for."""
        c = self.binary()
        c.send(request)
        self.assertEqual(c.reply().status, TOO_LARGE)
        self.says(packet(NOOP), OK)

    def test_cve_2016_8704_append_whose_body_wraps_around(self):
        for opcode in (APPEND, PREPEND, APPENDQ, PREPENDQ):
            self.closes_with(packet(opcode, b'k' * 250, b'', b'x' * 100, body=249), UNKNOWN)
            for body in (0xffffffff, 0xffffff00, 0x80000000, 0x7fffffff):
                self.passes_over(packet(opcode, b'k' * 250, b'', b'x' * 1000, body=body))

    def test_cve_2016_8705_update_whose_body_wraps_around(self):
        for opcode in (SET, ADD, REPLACE, SETQ, ADDQ, REPLACEQ):
            for body in (0, 7, 8, 8 + 249):
                self.closes_with(packet(opcode, b'k' * 250, b'12345678', b'x' * 100, body=body), UNKNOWN)
            for body in (0xffffffff, 0x80000000, 0x7fffffff):
                self.passes_over(packet(opcode, b'k' * 250, b'12345678', b'x' * 1000, body=body))

    def test_cve_2011_4971_and_2017_9951_lengths_with_the_sign_bit(self):
        for opcode in (GET, GETQ, GETK, DELETE, INCR, TOUCH, GAT, STAT, NOOP, VERSION, QUIT, FLUSH):
            for body in (0xffffffff, 0x80000001):
                self.closes_with(packet(opcode, b'key', b'', b'', body=body), INVALID)

    def test_cve_2020_10931_extras_of_255_bytes(self):
        for opcode in (GET, SET, APPEND, DELETE, INCR, NOOP, STAT, TOUCH, GATKQ):
            self.closes_with(packet(opcode, b'key', b'e' * 255, b'value'), INVALID)
        self.says(packet(0xf0, b'key', b'e' * 255, b''), UNKNOWN)

    def test_cve_2018_1000127_more_references_than_a_count_can_hold(self):
        self.says(storing(SET, b'lent', b'x' * 20000), OK)
        stubborn = self.binary()
        stubborn.socket.settimeout(2)
        try:
            for _ in range(70):   # of which nothing is read
                stubborn.send(packet(GETQ, b'lent') * 1000)
        except TimeoutError:
            pass
        self.says(packet(GET, b'lent'), OK, b'x' * 20000)
        self.says(storing(SET, b'lent', b'new'), OK)
        self.says(packet(GET, b'lent'), OK, b'new')
        stubborn.reset()


@under_both
class Doors(BinaryCase):
    wants_server = False

    def setUp(self):
        pass

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            server = self.start('-m', '64', unix_path=os.path.join(folder, 'socket'))
            self.c = self.binary(server)
            for key in self.keys(8):
                self.says(storing(SET, key, b'x' * 5000), OK)
                self.says(packet(GETK, key), OK, b'x' * 5000, key=key)
            self.c.close()
            server.assert_nothing_held()
            server.stop()

    def test_udp(self):
        port = free_port()
        server = self.start('-p', port, '-U', port, '-l', '127.0.0.1', port=port, listens=False)
        udp = UdpWire(port)
        self.addCleanup(udp.close)

        def ask(request):
            return split_replies(udp.ask(request)[0])[0]
        for i in range(8):
            key = b'udp:%d' % i
            stored = ask(storing(SET, key, b'v', opaque=i))
            self.assertEqual((stored.status, stored.opaque), (OK, i))
            self.assertEqual(ask(packet(GETK, key))[3:5], (key, b'v'))
            self.assertEqual(udp.ask(b'get %s\r\n' % key), [b'VALUE %s 0 1\r\nv\r\nEND\r\n' % key])
        self.assertEqual(ask(packet(GET, b'none')).status, NOT_FOUND)
        server.stop()

    def test_protocol_that_is_not_spoken_here(self):
        self.skip_for_stand_in('waits for a line end')
        text = self.start('-B', 'ascii')
        c = self.binary(text)
        c.send(packet(NOOP))
        self.assertEqual(c.until_closed(), b'')
        with text.connect() as line:
            self.assertEqual(line.ask(b'mn\r\n'), b'MN')
        text.stop()

    def test_binary_alone(self):
        server = self.start('-B', 'binary', waits=False)
        self.wait_until(lambda: self.answers(server), 'it does not answer')
        with Wire(port=server.port, timeout=30 * millrace_server.binary.patience) as c:
            c.send(b'get aaaaaaaaaaaaaaaaaaaaaaaa\r\n')
            try:
                self.assertEqual(c.until_closed(), b'')
            except Closed as closed:
                self.assertEqual(closed.got, b'')
        c = self.binary(server)
        self.assertEqual(c.statistics(b'settings')[b'binding_protocol'], b'binary')
        c.close()
        server.stop()

    def answers(self, server):
        try:
            with BinaryWire(port=server.port, timeout=5) as c:
                return c.ask(packet(NOOP)).status == OK
        except (OSError, Closed):
            return False


del BinaryCase

if __name__ == '__main__':
    millrace_server.run()
