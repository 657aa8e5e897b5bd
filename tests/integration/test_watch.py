#!/usr/bin/python3
"""`watch`: lines as memcached's, from every worker to whoever watches, without a worker kept waiting or a byte kept for good.

The classes of memcached 1.6.43 to 1.6.45's crashes are here as well: a watcher that goes away while lines are on their
way to it, in every order."""
import re
import time

import millrace_server
from millrace_server import ServerCase, under_both
from wire import Closed

HEAD = rb'^ts=(\d+)\.(\d{6}) gid=(\d+) type='
LINES = {
    'item_get': re.compile(HEAD + rb'item_get key=(\S+) status=(found|not_found) clsid=(\d+) cfd=(-?\d+) size=(\d+)$'),
    'item_store': re.compile(HEAD + rb'item_store key=(\S+) status=(\w+) cmd=(\w+) ttl=(\d+) clsid=(\d+) cfd=(-?\d+) size=(\d+)$'),
    'deleted': re.compile(HEAD + rb'deleted key=(\S+) cmd=(\w+) clsid=(\d+) size=(\d+)$'),
    'eviction': re.compile(HEAD + rb'eviction key=(\S+) fetch=(yes|no) ttl=(-?\d+) la=\d+ clsid=(\d+) size=(\d+)$'),
    'conn_new': re.compile(HEAD + rb'conn_new rip=(\S+) rport=(\d+) transport=(\w+) cfd=(\d+)$'),
    'conn_close': re.compile(HEAD + rb'conn_close rip=(\S+) rport=(\d+) transport=(\w+) reason=(\w+) cfd=(\d+)$'),
}


class Watched:
    """A connection that watches, and what it has been told."""

    def __init__(self, c, what=b''):
        self.c = c
        if c.ask(b'watch' + (b' ' + what if what else b'') + b'\r\n') != b'OK':
            raise AssertionError('watch is answered with OK')

    def line(self):
        """(type, the match) of the next line; ('skipped', n) for that."""
        while b'\n' not in self.c.unread:
            self.c._receive()
        text = bytes(self.c.read(self.c.unread.index(b'\n') + 1)[:-1])
        skipped = re.fullmatch(rb'skipped=(\d+)', text)
        if skipped:
            return 'skipped', int(skipped.group(1))
        kind = re.match(HEAD + rb'(\w+) ', text)
        match = kind and LINES.get(kind.group(4).decode(), re.compile(b'$^')).match(text)
        if not match:
            raise AssertionError('not a line of a watcher: %r' % text)
        return kind.group(4).decode(), match.groups()

    def until(self, kind, key):
        """Reads up to the line of that type about that key."""
        while True:
            found, groups = self.line()
            if found == kind and groups[3] == key:
                return groups


@under_both
class Watching(ServerCase):
    server_arguments = ['-m', '64']

    def setUp(self):
        self.skip_for_stand_in('its lines are 1.6.18\'s')
        self.c = self.connect()

    def watch(self, what=b''):
        return Watched(self.connect(), what)

    def test_unknown_words_are_errors(self):
        for words in (b'bogus', b'fetchers bogus', b'proxyreqs', b'rawcmds'):
            self.assertEqual(self.c.ask(b'watch ' + words + b'\r\n'), b'ERROR')

    def test_fetchers_from_every_partition(self):
        w = self.watch()
        keys = [b'f%d' % i for i in range(40)]
        for i, key in enumerate(keys[:20]):
            self.c.store(key, b'v' * i)
        self.c.fetch(*keys)
        seen = {}
        while len(seen) < 40:
            kind, line = w.line()
            self.assertEqual(kind, 'item_get')
            seen[line[3]] = (line[4], int(line[7]))
        self.assertEqual(seen, {key: (b'found', i) if i < 20 else (b'not_found', 0) for i, key in enumerate(keys)})

    def test_mutations_and_deletions(self):
        w = self.watch(b'mutations deletions')
        self.c.store(b'm', b'abc', exptime=100)
        line = w.until('item_store', b'm')
        self.assertEqual(line[4:6], (b'stored', b'set'))
        self.assertIn(int(line[6]), (99, 100))
        self.assertEqual(int(line[9]), 3)
        self.assertTrue(abs(time.time() - int(line[0])) < 5)
        for verb, status in ((b'add', b'not_stored'), (b'replace', b'stored'), (b'append', b'stored'), (b'prepend', b'stored')):
            self.c.store(b'm', b'x', verb=verb)
            self.assertEqual(w.until('item_store', b'm')[4:6], (status, verb))
        self.c.store(b'm', b'x', verb=b'cas', tail=b' 1')
        self.assertEqual(w.until('item_store', b'm')[4:6], (b'exists', b'cas'))
        for size in (5000, 70000, 700000):  # by the other ways a value can come
            self.c.store(b'large', b'x' * size)
            self.assertEqual(int(w.until('item_store', b'large')[9]), size)
        self.c.ask(b'delete nothing\r\n')
        self.c.ask(b'delete large\r\n')
        line = w.until('deleted', b'large')
        self.assertEqual((line[4], int(line[6])), (b'delete', 700000))

    def test_keys_are_uri_encoded(self):
        w = self.watch(b'mutations')
        self.c.store(b'a%b\xff:/~_-.', b'x')
        self.assertEqual(w.until('item_store', b'a%25b%FF%3A%2F~_-.')[4], b'stored')

    def test_connections_come_and_go(self):
        w = self.watch(b'connevents')
        def port_and_number():
            other = self.connect()
            other.ask(b'mn\r\n')
            return other, other.socket.getsockname()[1]
        for leave, reason in ((lambda o: o.close(), b'normal'), (lambda o: o.send(b'quit\r\n'), b'normal')):
            other, port = port_and_number()
            while True:
                kind, line = w.line()
                if kind == 'conn_new' and int(line[4]) == port:
                    break
            self.assertEqual((line[3], line[5]), (b'127.0.0.1', b'tcp'))
            number = line[6]
            leave(other)
            while True:
                kind, line = w.line()
                if kind == 'conn_close' and int(line[4]) == port:
                    break
            self.assertEqual((line[3], line[6], line[7]), (b'127.0.0.1', reason, number))

    def test_numbers_are_those_of_conns(self):
        if self.worker_arguments != millrace_server.WORKERS['one_worker']:
            self.skipTest('another worker is not told the number')
        w = self.watch(b'fetchers')
        self.c.fetch(b'mine')
        number = w.until('item_get', b'mine')[6].decode()
        self.assertEqual(self.c.stats(b'conns')['%s:addr' % number], 'tcp:127.0.0.1:%d' % self.c.socket.getsockname()[1])

    def test_gids_rise_and_none_comes_twice(self):
        w = self.watch(b'fetchers')
        for i in range(300):
            self.c.send(b'get g%d\r\n' % i)
        gids = []
        last = {}
        while len(gids) < 300:
            line = w.line()[1]
            gids.append(int(line[2]))
        for _ in range(300):
            self.c.values()
        self.assertEqual(len(set(gids)), 300)
        workers = int(self.c.stats()['threads'])
        for gid in gids:
            self.assertGreater(gid, last.get(gid % workers, -1))
            last[gid % workers] = gid

    def test_each_watcher_gets_what_it_asked_for(self):
        fetchers, mutations = self.watch(b'fetchers'), self.watch(b'mutations')
        for i in range(50):
            self.c.store(b'e%d' % i, b'x')
            self.c.fetch(b'e%d' % i)
        for i in range(50):
            self.assertEqual(fetchers.line()[0], 'item_get')
            self.assertEqual(mutations.line()[0], 'item_store')

    def test_twenty_and_no_more(self):
        taken = [self.watch(b'evictions') for _ in range(20)]
        self.assertEqual(self.c.ask(b'watch\r\n'), b'WATCHER_TOO_MANY log watcher limit reached')
        self.assertEqual(self.c.stats()['log_watchers'], '20')
        for w in taken:
            w.c.close()
        self.wait_until(lambda: self.c.stats()['log_watchers'] == '0', 'watchers stay when their connections are gone')
        self.watch(b'evictions')

    def test_what_a_watcher_sends_is_not_looked_at(self):
        w = self.watch(b'mutations')
        w.c.send(b'set w 0 0 1\r\nx\r\nshutdown\r\nflush_all\r\nquit\r\n' * 1000)
        self.c.store(b'real', b'x')
        self.assertEqual(w.until('item_store', b'real')[4], b'stored')
        self.assertIsNone(self.c.value(b'w'))

    def test_a_watcher_that_does_not_read_skips(self):
        slow = Watched(self.connect(receive_buffer=4096), b'fetchers')
        before = self.c.stats()
        key = b'k' * 200
        sent = 0
        while True:
            for _ in range(20):
                self.c.send(b'get %s%%d\r\n' % key * 500)
                for _ in range(500):
                    self.c.values()
                sent += 500
            stats = self.c.stats()
            lost = sum(int(stats[n]) - int(before[n]) for n in ('log_watcher_skipped', 'log_worker_dropped'))
            if int(stats['log_watcher_skipped']) > int(before['log_watcher_skipped']):
                break
            self.assertLess(sent, 2_000_000, 'a watcher that does not read is sent everything')
        self.assertLess(int(stats['millrace_buffers_in_use']), 32)
        # It reads again: it hears what it had coming, how many it missed, and then what happens now.
        heard = skipped = 0
        self.c.fetch(b'nudge')
        while True:
            kind, line = slow.line()
            if kind == 'skipped':
                skipped += line
            elif line[3] == b'nudge':
                break
            else:
                heard += 1
            if heard % 50 == 0 and skipped == 0:
                self.c.fetch(b'nudge')
        self.assertGreater(skipped, 0)
        self.assertLessEqual(heard + skipped, sent + heard)
        self.assertGreater(lost, 0)

    def test_evictions_are_told(self):
        server = self.start('-m', '8')
        with server.connect() as c, server.connect() as watching:
            w = Watched(watching, b'evictions')
            i = 0
            while int(c.stats()['evictions']) == 0:
                c.send(b''.join(b'set e%d 0 0 1000 noreply\r\n%s\r\n' % (n, b'x' * 1000) for n in range(i, i + 500)))
                c.ask(b'mn\r\n')
                i += 500
            kind, line = w.line()
            self.assertEqual(kind, 'eviction')
            self.assertRegex(line[3], rb'^e\d+$')
            self.assertEqual((line[4], line[5], int(line[7])), (b'no', b'-1', 1000))
        server.stop()

    def test_going_away_in_every_order(self):
        """Watchers that close, reset or half-close while others write, and while the server has lines for them."""
        prng = self.prng
        for turn in range(40):
            watchers = [Watched(self.connect(), b'fetchers mutations connevents deletions') for _ in range(prng.randrange(1, 5))]
            writer = self.connect()
            writer.send(b'set g 0 0 1\r\nx\r\nget g\r\ndelete g\r\n' * 50)
            prng.shuffle(watchers)
            for w in watchers:
                how = prng.randrange(4)
                if how == 0:
                    w.c.reset()
                elif how == 1:
                    w.c.close()
                elif how == 2:
                    w.c.half_close()
                else:
                    w.line()
                    w.c.close()
            if prng.randrange(2):
                writer.reset()
            else:
                writer.close()
        self.wait_until(lambda: self.c.stats()['log_watchers'] == '0', 'watchers stay when their connections are gone')
        self.assertEqual(self.c.store(b'after', b'x'), b'STORED')

    def test_ends_while_somebody_watches(self):
        server = self.start('-m', '8')
        with server.connect() as c, server.connect() as watching:
            w = Watched(watching, b'fetchers connevents')
            c.send(b'get a\r\n' * 1000)
            server.stop()
            try:
                while True:
                    w.line()
            except Closed:
                pass

    def test_idle_timeout_leaves_watchers(self):
        server = self.start('-m', '8', '-o', 'idle_timeout=1')
        with server.connect() as watching, server.connect() as idle:
            w = Watched(watching, b'connevents')
            idle.ask(b'mn\r\n')
            port = idle.socket.getsockname()[1]
            while True:
                kind, line = w.line()
                if kind == 'conn_close' and int(line[4]) == port:
                    break
            self.assertEqual(line[6], b'idle_timeout')
            with server.connect() as c:
                c.ask(b'mn\r\n')
                while w.line()[0] != 'conn_new':
                    pass
        server.stop()


@under_both
class WatchForbidden(ServerCase):
    server_arguments = ['-W']

    def test_w_refuses(self):
        self.skip_for_stand_in('answers of 1.6.45')
        self.assertEqual(self.connect().ask(b'watch\r\n'), b'CLIENT_ERROR watch commands not allowed')


if __name__ == '__main__':
    millrace_server.run()
