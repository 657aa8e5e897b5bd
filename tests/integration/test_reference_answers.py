#!/usr/bin/python3
"""The reference table: what memcached 1.6.45 answers, byte for byte, and we with it.

Each row runs on a connection of its own, from a known state (`KEYS` deleted, then `given`), whole; then cut in two at
every byte; then byte by byte; then all rows that leave the connection open as one pipeline. The end of an answer is seen,
not waited for: the test half-closes and reads to the end of the stream.

`old`: 1.6.18 (the stand-in) answers otherwise there, so the row is left out for it. `later`: what
is elsewhere: dumps, crawls and watchers, whose answers depend on what there is, and the binary protocol, in
test_administration.py, test_watch.py and test_binary.py; the row is kept and not run here. Where we answer otherwise than
1.6.45 on purpose, our answer stands here; docs/compatibility.md says why.
"""
import re
import time
import unittest

import millrace_server
from millrace_server import ServerCase, under_both

KEYS = (b'a', b'b', b'n', b'd', b's', b'big', b'nokey', b'foo', b'k', b'm', b'nn', b'c1')
BAD = b'CLIENT_ERROR bad command line format\r\n'
NOTHING_TO_SET = b'SERVER_ERROR there is no such thing to set in this server\r\n'
CLOSED = object()  # as the answer: closed by the server, with nothing said


class Row:
    def __init__(self, sent, answer, given=b'', old=False, later=False, goes_on=True):
        self.sent, self.given, self.old, self.later = sent, given, old, later
        self.is_closed_by_server = answer is CLOSED
        self.answer = b'' if answer is CLOSED else answer
        self.can_be_followed = goes_on and answer is not CLOSED


def elsewhere(sent, answer):
    """Depends on what other rows have left, or is binary: test_administration.py, test_watch.py and test_binary.py hold us to it."""
    return Row(sent, answer, later=True)


SET_A = b'set a 0 0 1\r\nx\r\n'
SET_M = b'set m 0 0 2\r\nhi\r\n'
ROWS = [
    Row(b'\r\n', BAD, old=True),
    Row(b'get\r\n', BAD, old=True),
    Row(b'gets\r\n', BAD, old=True),
    Row(b'get ' + b'k' * 250 + b'\r\n', b'END\r\n'),
    Row(b'get ' + b'k' * 251 + b'\r\n', BAD),
    Row(b'set ' + b'k' * 251 + b' 0 0 1\r\nx\r\n', BAD, old=True),
    Row(b'GET a\r\n', b'ERROR\r\n'),
    Row(b' get a\r\n', b'ERROR\r\n', old=True),
    Row(b'get  a   b\r\n', b'END\r\n'),
    Row(b'get a\n', b'END\r\n'),
    Row(b'set a 0 0 -1\r\n', BAD),
    Row(b'set a 0 0 3\r\nabcd\r\n', b'CLIENT_ERROR bad data chunk\r\n' + BAD, old=True),
    Row(b'set a 0 0 3\r\nab\r\n\r\n', b'CLIENT_ERROR bad data chunk\r\n' + BAD, old=True),
    Row(b'set a 4294967296 0 1\r\nx\r\n', b'STORED\r\n'),
    Row(b'set a 4294967295 0 1\r\nx\r\nget a\r\n', b'STORED\r\nVALUE a 4294967295 1\r\nx\r\nEND\r\n'),
    Row(b'set a -1 0 1\r\nx\r\n', BAD, old=True),
    Row(b'set a 0 abc 1\r\nx\r\n', BAD, old=True),
    Row(b'set a 0 -1 1\r\nx\r\nget a\r\n', b'STORED\r\nEND\r\n'),
    Row(b'set a 0 2678400 1\r\nx\r\nget a\r\n', b'STORED\r\nEND\r\n'),
    Row(b'set a 0 0 1 noreply\r\nx\r\nget a\r\n', b'VALUE a 0 1\r\nx\r\nEND\r\n'),
    Row(b'set a 0 0 1 bogus\r\nx\r\n', b'STORED\r\n'),
    Row(b'set a 0 0\r\n', BAD, old=True),
    Row(b'set n 0 0 2\r\n10\r\nincr n 1\r\ndecr n 100\r\nincr n 18446744073709551615\r\n'
        b'incr n 18446744073709551616\r\nincr n abc\r\nset s 0 0 1\r\nx\r\nincr s 1\r\nincr nokey 1\r\n',
        b'STORED\r\n11\r\n0\r\n18446744073709551615\r\nCLIENT_ERROR invalid numeric delta argument\r\n'
        b'CLIENT_ERROR invalid numeric delta argument\r\nSTORED\r\n'
        b'CLIENT_ERROR cannot increment or decrement non-numeric value\r\nNOT_FOUND\r\n'),
    Row(b'set d 0 0 3\r\n100\r\ndecr d 1\r\nget d\r\n', b'STORED\r\n99\r\nVALUE d 0 3\r\n99 \r\nEND\r\n'),
    Row(b'set big 0 0 1048577\r\n' + b'x' * 1048577 + b'\r\n', b'SERVER_ERROR object too large for cache\r\n'),
    Row(b'delete a 0\r\n', b'DELETED\r\n', given=SET_A),
    Row(b'delete a 5\r\n', b'NOT_FOUND\r\n', old=True),
    Row(b'delete a noreply\r\nmn\r\n', b'MN\r\n'),
    Row(b'delete a b c\r\n', b'NOT_FOUND\r\n', old=True),
    Row(b'touch a\r\n', BAD, old=True),
    Row(b'touch a abc\r\n', b'CLIENT_ERROR invalid exptime argument\r\n'),
    Row(b'touch nokey 10\r\n', b'NOT_FOUND\r\n'),
    Row(b'gat 10\r\n', BAD, old=True),
    Row(b'gat abc k\r\n', b'CLIENT_ERROR invalid exptime argument\r\n'),
    Row(b'gat 10 nokey\r\n', b'END\r\n'),
    Row(b'verbosity\r\n', BAD, old=True),
    Row(b'verbosity 1\r\n', b'OK\r\n'),
    Row(b'verbosity noreply\r\nmn\r\n', b'MN\r\n'),
    Row(b'flush_all\r\n', b'OK\r\n'),
    Row(b'flush_all 0\r\n', b'OK\r\n'),
    Row(b'flush_all abc\r\n', b'CLIENT_ERROR invalid exptime argument\r\n'),
    Row(b'flush_all -1\r\n', b'OK\r\n'),
    Row(b'flush_all noreply\r\nmn\r\n', b'MN\r\n'),
    Row(b'version\r\n', b'VERSION 1.6.45\r\n', old=True),
    Row(b'version x\r\n', b'VERSION 1.6.45\r\n', old=True),
    Row(b'quit\r\n', CLOSED),
    Row(b'stats bogus\r\n', b'ERROR\r\n'),
    Row(b'stats reset\r\n', b'RESET\r\n'),
    Row(b'stats sizes\r\n', b'STAT sizes_status disabled\r\nEND\r\n'),
    Row(b'stats detail\r\n', b'CLIENT_ERROR usage: stats detail on|off|dump\r\n'),
    Row(b'stats detail on\r\n', b'OK\r\n'),
    Row(b'stats detail dump\r\n', b'END\r\n'),
    Row(b'stats cachedump 1\r\n', b'CLIENT_ERROR bad command line\r\n'),
    Row(b'stats cachedump 1 1\r\n', b'END\r\n'),
    Row(b'stats cachedump 200 0\r\n', b'CLIENT_ERROR Illegal slab id\r\n'),
    Row(b'stats items\r\n', b'END\r\n'),
    Row(b'shutdown\r\n', b'SERVER_ERROR: shutdown not enabled\r\n', old=True),
    Row(b'cache_memlimit\r\n', b'ERROR\r\n'),
    Row(b'cache_memlimit 1\r\n', b'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n'),
    Row(b'cache_memlimit 64\r\n', b'OK\r\n'),
    Row(b'slabs reassign 1 2\r\n', b'NOSPARE source class has no spare pages\r\n'),
    Row(b'slabs reassign 1 1\r\n', b'SAME src and dst class are identical\r\n'),
    Row(b'slabs reassign 99 2\r\n', b'BADCLASS invalid src or dst class id\r\n'),
    Row(b'slabs automove 5\r\n', b'ERROR\r\n'),
    Row(b'slabs automove 1\r\n', b'OK\r\n'),
    Row(b'slabs\r\n', b'ERROR\r\n'),
    Row(b'lru\r\n', b'ERROR\r\n'),
    Row(b'lru mode flat\r\n', b'OK\r\n'),
    Row(b'lru mode segmented\r\n', NOTHING_TO_SET, old=True),
    Row(b'lru tune 10 25 0.1 2.0\r\n', NOTHING_TO_SET, old=True),
    Row(b'lru temp_ttl -1\r\n', b'OK\r\n'),
    Row(b'lru_crawler\r\n', b'ERROR\r\n'),
    elsewhere(b'lru_crawler crawl all\r\n', b'OK\r\n'),
    elsewhere(b'lru_crawler metadump all\r\n', b'OK\r\nEND\r\n'),
    elsewhere(b'lru_crawler metadump hash\r\n', b'OK\r\nEND\r\n'),
    elsewhere(b'lru_crawler mgdump hash\r\n', b'OK\r\nEN\r\n'),
    Row(b'lru_crawler sleep 2000000\r\n', b'CLIENT_ERROR sleep must be one second or less\r\n'),
    Row(b'lru_crawler tocrawl 10\r\n', b'OK\r\n'),
    Row(b'refresh_certs\r\n', b'ERROR\r\n', old=True),
    Row(b'extstore x y\r\n', b'ERROR\r\n'),
    Row(b'misbehave\r\n', b'ERROR\r\n'),
    Row(b'debugtime p\r\n', b'ERROR\r\n'),
    Row(b'mn\r\n', b'MN\r\n'),
    Row(b'me a\r\n', b'EN\r\n'),
    Row(b'me nokey\r\n', b'EN\r\n'),
    Row(b'mg\r\n', BAD, old=True),
    Row(b'mg nokey\r\n', b'EN\r\n'),
    Row(b'mg nokey v k O1\r\n', b'EN knokey O1\r\n'),
    Row(b'mg nokey v q k O1\r\nmn\r\n', b'MN\r\n'),
    # Here and below E gives the CAS number that was recorded.
    Row(b'mg nokey N30 t v c f E15\r\nmg nokey v N30\r\n', b'VA 0 t30 c15 f0 W\r\n\r\nVA 0 Z\r\n\r\n', old=True),
    Row(b'mg a v v\r\n', b'CLIENT_ERROR duplicate flag\r\n'),
    Row(b'mg a !\r\n', BAD, old=True),
    Row(b'mg a O' + b'x' * 40 + b'\r\n', b'CLIENT_ERROR opaque token too long\r\n'),
    Row(b'ms m 2\r\nhi\r\n', b'HD\r\n'),
    Row(b'ms m 2 c T30 F5 I E17\r\nhi\r\nmg m v t f c s k h l\r\n', b'HD c17\r\nVA 2 t30 f5 c17 s2 km h0 l0\r\nhi\r\n', old=True),
    Row(b'ms m S2\r\nhi\r\n', BAD + b'ERROR\r\n', old=True),
    Row(b'ms m 2 MX\r\nhi\r\n', b'CLIENT_ERROR invalid mode for ms M token\r\n'),
    Row(b'ms m 2 C999\r\nhi\r\n', b'EX\r\n', given=b'ms m 2 E1000 q\r\nhi\r\n', old=True),
    Row(b'ms m 2 C1 I\r\nhi\r\nmg m v\r\n', b'HD\r\nVA 2 X W\r\nhi\r\n', given=SET_M, old=True),
    Row(b'ms nn 2 MR\r\nhi\r\n', b'NS\r\n'),
    Row(b'ms m 2 ME\r\nhi\r\n', b'NS\r\n', given=SET_M),
    Row(b'ms nn 2 MA\r\nhi\r\n', b'NS\r\n'),
    Row(b'ms nn 2 MA N60\r\nhi\r\n', b'HD\r\n', old=True),
    Row(b'md m I T30\r\nmg m v t\r\nmg m v\r\n', b'HD\r\nVA 2 t30 X W\r\nhi\r\nVA 2 Z X\r\nhi\r\n', given=SET_M, old=True),
    Row(b'md m q\r\nmd m q\r\nmn\r\n', b'NF\r\nMN\r\n', given=SET_M),
    Row(b'ma c1\r\nma c1 N0 J13 v\r\nma c1 v D2\r\nma c1 MD v t c E27\r\nma c1 M- D100 v\r\n',
        b'NF\r\nVA 2\r\n13\r\nVA 2\r\n15\r\nVA 2 t-1 c27\r\n14\r\nVA 1\r\n0\r\n', old=True),
    Row(b'mg Zm9v b k\r\nms Zm9v 2 b k\r\nhi\r\nmg Zm9v b k v\r\nget foo\r\n',
        b'EN kZm9v b\r\nHD kZm9v b\r\nVA 2 kZm9v b\r\nhi\r\nVALUE foo 0 2\r\nhi\r\nEND\r\n'),
    Row(b'mg a x y\r\n', b'CLIENT_ERROR invalid flag\r\n'),
    Row(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', CLOSED),
    elsewhere(b'watch bogus\r\n', b'ERROR\r\n'),
    elsewhere(b'watch\r\n', b'OK\r\n'),
    Row(b'cas a 0 0 1\r\n', BAD, old=True, goes_on=False),  # 1.6.45 says so behind the data block only
    Row(b'cas a 0 0 1 5\r\nx\r\n', b'NOT_FOUND\r\n'),
    Row(b'cas a 0 0 1 abc\r\nx\r\n', BAD, old=True),
    Row(b'append nokey 0 0 1\r\nx\r\n', b'STORED\r\n', given=b'set nokey 0 0 0\r\n\r\n'),
    Row(b'bogus\r\n', b'ERROR\r\n'),
    Row(b'x' * 3000, CLOSED),
    Row(b'get ' + b'k ' * 1500 + b'\r\n', b'END\r\n'),
    elsewhere(b'\x80\n' + b'\0' * 22, b'\x81\n' + b'\0' * 22),
    elsewhere(b'\x80\xff' + b'\0' * 22, b'\x81\xff' + b'\0' * 5 + b'\x81\0\0\0\x0f' + b'\0' * 12 + b'Unknown command'),
    Row(b'\x81' + b'\0' * 23, b'', goes_on=False),
]

def silent(given):
    """A storing command that says nothing; one of meta asks for quiet itself."""
    return given if given.startswith(b'ms') else given.replace(b'\r\n', b' noreply\r\n', 1)


CLEAN = b''.join(b'delete %s noreply\r\n' % key for key in KEYS)


@under_both
class ReferenceAnswers(ServerCase):
    server_arguments = ['-m', '64']

    def rows(self, *, short=False, followed=False):
        for row in ROWS:
            if row.later or (row.old and millrace_server.binary.is_stand_in):
                continue
            if (short and len(row.sent) > 200) or (followed and not row.can_be_followed):
                continue
            yield row

    def setUp(self):
        self.side = self.connect()

    def prepare(self, row):
        """The known state, made on another connection."""
        self.side.send(CLEAN + row.given + b'mn\r\n')
        while self.side.line() != b'MN':
            pass

    def answer_to(self, pieces, closes, pause=0.0):
        with self.server.connect() as c:
            try:
                for number, piece in enumerate(pieces):
                    if number and pause:
                        time.sleep(pause)
                    c.send(piece)
                if not closes:
                    c.half_close()
            except (BrokenPipeError, ConnectionResetError, OSError):
                if not closes:
                    raise
            return c.until_closed()

    def check(self, row, pieces, pause=0.0):
        self.prepare(row)
        answer = self.answer_to(pieces, row.is_closed_by_server, pause)
        if answer != row.answer and re.search(rb' t\d', row.answer):  # a second may have begun on the way
            self.prepare(row)
            answer = self.answer_to(pieces, row.is_closed_by_server, pause)
        self.assertEqual(answer, row.answer)

    def test_whole(self):
        for row in self.rows():
            with self.subTest(sent=row.sent[:80]):
                self.check(row, [row.sent])

    def test_cut_in_two_at_every_byte(self):
        for row in self.rows(short=True):
            for cut in range(1, len(row.sent)):
                with self.subTest(sent=row.sent[:80], cut=cut):
                    # Long enough, nearly always, that the server reads the pieces one by one.
                    self.check(row, [row.sent[:cut], row.sent[cut:]], pause=0.0005)

    def test_byte_by_byte(self):
        for row in self.rows(short=True):
            with self.subTest(sent=row.sent[:80]):
                self.check(row, [row.sent[i:i + 1] for i in range(len(row.sent))], pause=0.0002)

    def test_all_in_one_pipeline(self):
        """Every row on one connection, sent without waiting; `mn` between rows says which answer is which."""
        rows = list(self.rows(followed=True))
        sent = b''
        for row in rows:
            given = silent(row.given)
            sent += CLEAN + given + row.sent + b'mn\r\n'
        with self.server.connect() as c:
            c.send(sent)
            for row in rows:
                expected = row.answer + b'MN\r\n'
                self.assertEqual(c.read(len(expected)), expected, 'the answer to %r' % row.sent[:80])
            c.half_close()
            self.assertEqual(c.until_closed(), b'')

    def test_the_pipeline_in_odd_pieces(self):
        """The same pipeline in pieces of 1, 2, 3, … bytes, so that every row meets many cuts beside its neighbours."""
        rows = [row for row in self.rows(short=True, followed=True)]
        sent, expected = b'', b''
        for row in rows:
            given = silent(row.given)
            sent += CLEAN + given + row.sent
            expected += row.answer
        pieces, at, size = [], 0, 1
        while at < len(sent):
            pieces.append(sent[at:at + size])
            at, size = at + size, size % 97 + 1
        self.assertEqual(self.answer_to(pieces, closes=False), expected)

    def test_a_reply_says_that_all_before_it_was_done(self):
        """What was sent with noreply, too, and whichever connection asks next."""
        others = [self.connect() for _ in range(8)]
        for i in range(500):
            key, value = KEYS[i % len(KEYS)], b'%d' % i
            self.side.send(b'set %s 0 0 %d noreply\r\n%s\r\nmn\r\n' % (key, len(value), value))
            self.assertEqual(self.side.line(), b'MN')
            self.assertEqual(others[i % 8].value(key), value)

    def test_line_ends(self):
        """A bare LF ends a line too; the data block always ends in CRLF."""
        self.prepare(ROWS[0])
        for sent, expected in [(b'set a 0 0 1\nx\r\nget a\n', b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n'),
                               (b'version \r\n', None), (b'stats reset \r\n', b'RESET\r\n'), (b'flush_all \r\n', b'OK\r\n'),
                               (b'get a b \r\n', b'END\r\n'), (b'delete a \r\n', b'NOT_FOUND\r\n')]:
            with self.subTest(sent=sent):
                answer = self.answer_to([sent], closes=False)
                if expected is None:
                    self.assertRegex(answer, rb'^VERSION [1-9][0-9]{0,2}\.[0-9]{1,3}\.[0-9]{1,3}\r\n$')
                else:
                    self.assertEqual(answer, expected)


class TheTable(unittest.TestCase):
    def test_what_is_left_for_later(self):
        """A row is either run or says why not; this is the count, so that none is lost unseen."""
        self.assertEqual(len(ROWS), 121)
        waiting = sum(row.later for row in ROWS)
        print('%d rows, %d of them for later commands' % (len(ROWS), waiting))
        self.assertEqual(waiting, 8)


if __name__ == '__main__':
    millrace_server.run()
