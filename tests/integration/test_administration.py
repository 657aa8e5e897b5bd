#!/usr/bin/python3
"""What administrators ask: statistics in all their forms, dumps and crawls, what can be tuned while the server serves.

Answers are memcached 1.6.45's where it has the command; docs/compatibility.md lists what differs and why."""
import os
import random
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

import millrace_server
from millrace_server import ServerCase, under_both
from wire import Closed

# Request, answer up to the line end; each is followed by `mn`, so that one answer more or less is noticed.
ANSWERS = [
    (b'slabs', b'ERROR'),
    (b'slabs reassign', b'ERROR'),
    (b'slabs reassign 1 2', b'NOSPARE source class has no spare pages'),
    (b'slabs reassign 1 1', b'SAME src and dst class are identical'),
    (b'slabs reassign 99 2', b'BADCLASS invalid src or dst class id'),
    (b'slabs reassign 63 1', b'BADCLASS invalid src or dst class id'),
    (b'slabs reassign 0 1', b'OK'),
    (b'slabs reassign -1 0', b'OK'),
    (b'slabs reassign a b', b'CLIENT_ERROR bad command line format'),
    (b'slabs reassign 1 99999999999', b'CLIENT_ERROR bad command line format'),
    (b'slabs automove', b'ERROR'),
    (b'slabs automove x', b'CLIENT_ERROR bad command line format'),
    (b'slabs automove 5', b'ERROR'),
    (b'slabs automove 0', b'OK'),
    (b'slabs automove 2', b'OK'),
    (b'slabs automove 1', b'OK'),
    (b'slabs automove window', b'CLIENT_ERROR bad command line format'),
    (b'slabs automove window 2', b'CLIENT_ERROR automove window too low or too high'),
    (b'slabs automove window 4294967296', b'CLIENT_ERROR bad command line format'),
    (b'slabs automove ratio', b'ERROR'),
    (b'slabs automove ratio x', b'ERROR'),
    (b'slabs automove ratio 0.8', b'SERVER_ERROR there is no such thing to set in this server'),
    (b'lru', b'ERROR'),
    (b'lru mode', b'ERROR'),
    (b'lru mode flat', b'OK'),
    (b'lru mode bogus', b'ERROR'),
    (b'lru mode segmented', b'SERVER_ERROR there is no such thing to set in this server'),
    (b'lru tune 10 25 0.1', b'ERROR'),
    (b'lru tune 60 25 0.1 2.0', b'ERROR hot and warm pcts must not exceed 80'),
    (b'lru tune 10 25 0.1 2.0', b'SERVER_ERROR there is no such thing to set in this server'),
    (b'lru tune 10 25 0 2.0', b'ERROR hot/warm age factors must be greater than 0'),
    (b'lru tune 10 25 0.1 -2', b'ERROR hot/warm age factors must be greater than 0'),
    (b'lru temp_ttl', b'ERROR'),
    (b'lru temp_ttl -1', b'OK'),
    (b'lru temp_ttl x', b'ERROR'),
    (b'lru_crawler', b'ERROR'),
    (b'lru_crawler bogus', b'ERROR'),
    (b'lru_crawler crawl', b'ERROR'),
    (b'lru_crawler crawl 0', b'BADCLASS invalid class id'),
    (b'lru_crawler crawl 64', b'BADCLASS invalid class id'),
    (b'lru_crawler crawl x', b'BADCLASS invalid class id'),
    (b'lru_crawler crawl hash', b'ERROR an unknown error happened'),
    (b'lru_crawler metadump', b'ERROR'),
    (b'lru_crawler metadump 1,2,x', b'BADCLASS invalid class id'),
    (b'lru_crawler metadump all all', b'ERROR'),
    (b'lru_crawler sleep', b'ERROR'),
    (b'lru_crawler sleep x', b'CLIENT_ERROR bad command line format'),
    (b'lru_crawler sleep 2000000', b'CLIENT_ERROR sleep must be one second or less'),
    (b'lru_crawler sleep 100', b'OK'),
    (b'lru_crawler tocrawl x', b'CLIENT_ERROR bad command line format'),
    (b'lru_crawler tocrawl 0', b'OK'),
    (b'lru_crawler enable', b'ERROR failed to start lru crawler thread'),
    (b'lru_crawler disable', b'OK'),
    (b'lru_crawler crawl all', b'CLIENT_ERROR lru crawler disabled'),
    (b'lru_crawler metadump all', b'CLIENT_ERROR lru crawler disabled'),
    (b'lru_crawler enable', b'OK'),
    (b'cache_memlimit 1000000001', b'MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes'),
    (b'cache_memlimit 1', b'MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m'),
    (b'refresh_certs', b'ERROR'),
    (b'extstore x y', b'ERROR'),
    (b'config get cluster', b'ERROR'),
    (b'config', b'ERROR'),
    (b'verbosity 2', b'OK'),
]

# Read by the Prometheus exporter: pkg/exporter/exporter.go of prometheus/memcached_exporter, what it has no `if` for.
EXPORTER_GENERAL = '''uptime time version rusage_user rusage_system bytes limit_maxbytes curr_items total_items bytes_read
    bytes_written curr_connections total_connections rejected_connections conn_yields listen_disabled_num evictions reclaimed
    store_too_large store_no_memory lru_crawler_starts direct_reclaims crawler_items_checked crawler_reclaimed moves_to_cold
    moves_to_warm moves_within_lru accepting_conns cmd_set cas_badval cmd_flush'''.split() + [
        op + end for op in ('get', 'delete', 'incr', 'decr', 'cas', 'touch') for end in ('_hits', '_misses')]
EXPORTER_SETTINGS = 'maxconns lru_crawler lru_crawler_sleep lru_crawler_tocrawl lru_maintainer_thread'.split()
EXPORTER_ITEMS = '''number age evicted_time crawler_reclaimed evicted evicted_nonzero evicted_unfetched expired_unfetched outofmemory reclaimed
    tailrepairs moves_to_cold moves_to_warm moves_within_lru'''.split()
EXPORTER_SLABS = '''chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end mem_requested
    cmd_set cas_badval get_hits delete_hits incr_hits decr_hits cas_hits touch_hits'''.split()


def metadump(c, what=b'all'):
    """The lines of a whole dump as dictionaries by key."""
    if c.ask(b'lru_crawler metadump %s\r\n' % what) != b'OK':
        raise AssertionError('a dump begins with OK')
    found = {}
    rest = b''
    while True:
        # Lines of items end with LF alone, END with CRLF.
        while b'\n' not in c.unread:
            c._receive()
        at = c.unread.index(b'\n')
        line = c.read(at + 1)
        if line == b'END\r\n':
            return found
        match = re.fullmatch(rb'key=(\S+) exp=(-?\d+) la=(\d+) cas=(\d+) fetch=(yes|no) cls=(\d+) size=(\d+) flags=(\d+) \n',
                             line)
        if not match:
            raise AssertionError('not a line of a dump: %r' % line)
        key = urllib.parse.unquote_to_bytes(match.group(1).decode())
        if key in found:
            raise AssertionError('dumped twice: %r' % key)
        found[key] = match.groups()


def fill(c, count, prefix=b'k', size=10, exptime=0):
    value = b'v' * size
    for start in range(0, count, 500):
        c.send(b''.join(b'set %s%d 7 %d %d noreply\r\n%s\r\n' % (prefix, i, exptime, size, value)
                        for i in range(start, min(count, start + 500))))
        c.ask(b'mn\r\n')


@under_both
class Answers(ServerCase):
    server_arguments = ['-m', '64', '-A']

    def setUp(self):
        self.skip_for_stand_in('its answers are 1.6.18\'s')

    def test_each_line_has_its_answer(self):
        c = self.connect()
        for request, answer in ANSWERS:
            with self.subTest(request=request):
                self.assertEqual(c.ask(request + b'\r\n'), answer)
                self.assertEqual(c.ask(b'mn\r\n'), b'MN')

    def test_noreply_says_nothing(self):
        c = self.connect()
        for request in (b'lru_crawler crawl all noreply', b'slabs automove 1 noreply', b'lru mode flat noreply'):
            c.send(request + b'\r\n')
            self.assertEqual(c.ask(b'mn\r\n'), b'MN', request)

    def test_settings_show_what_was_changed(self):
        c = self.connect()
        for request in (b'lru_crawler sleep 2500', b'lru_crawler tocrawl 77', b'slabs automove 0', b'verbosity 1',
                        b'cache_memlimit 32', b'lru_crawler disable'):
            self.assertEqual(c.ask(request + b'\r\n'), b'OK', request)
        settings = c.stats(b'settings')
        self.assertEqual([settings[name] for name in ('lru_crawler_sleep', 'lru_crawler_tocrawl', 'slab_automove',
                                                      'verbosity', 'maxbytes', 'lru_crawler')],
                         ['2500', '77', '0', '1', str(32 << 20), 'no'])
        self.assertEqual(int(c.stats()['limit_maxbytes']), 32 << 20)
        for request in (b'lru_crawler sleep 100', b'lru_crawler tocrawl 0', b'slabs automove 1', b'verbosity 0',
                        b'cache_memlimit 64', b'lru_crawler enable'):
            self.assertEqual(c.ask(request + b'\r\n'), b'OK', request)

    def test_refused_growth_changes_nothing(self):
        c = self.connect()
        self.assertTrue(c.ask(b'cache_memlimit 4096\r\n').startswith(b'MEMLIMIT_ADJUST_FAILED'))
        self.assertEqual(c.stats(b'settings')['maxbytes'], str(64 << 20))


@under_both
class Statistics(ServerCase):
    server_arguments = ['-m', '64', '-o', 'track_sizes']

    def setUp(self):
        self.skip_for_stand_in('names are ours too')

    def test_the_exporter_finds_all_it_reads(self):
        c = self.connect()
        fill(c, 100)
        c.fetch(b'k1')
        self.assertEqual([n for n in EXPORTER_GENERAL if n not in c.stats()], [])
        self.assertEqual([n for n in EXPORTER_SETTINGS if n not in c.stats(b'settings')], [])
        items = c.stats(b'items')
        ids = {name.split(':')[1] for name in items}
        self.assertTrue(ids)
        for i in ids:
            self.assertEqual([n for n in EXPORTER_ITEMS if 'items:%s:%s' % (i, n) not in items], [])
        slabs = c.stats(b'slabs')
        self.assertIn('total_malloced', slabs)
        for i in {name.split(':')[0] for name in slabs if ':' in name}:
            self.assertEqual([n for n in EXPORTER_SLABS if '%s:%s' % (i, n) not in slabs], [])

    def test_workers_add_up_to_the_whole(self):
        c = self.connect()
        fill(c, 500)
        for i in range(0, 600, 3):
            c.fetch(b'k%d' % i)
        general, workers = c.stats(), c.stats(b'workers')
        count = int(workers['workers'])
        self.assertEqual(count, int(general['threads']))
        for name in ('cmd_get', 'get_hits', 'get_misses', 'cmd_set', 'curr_items', 'bytes', 'limit_maxbytes', 'evictions'):
            self.assertEqual(sum(int(workers['worker:%d:%s' % (w, name)]) for w in range(count)), int(general[name]), name)
        for w in range(count):
            self.assertTrue(0 <= float(workers['worker:%d:idle_share' % w]) <= 1)
        self.assertTrue(1 <= float(workers['imbalance_items']) <= count)

    def test_a_hot_key_shows_in_its_partition(self):
        c = self.connect()
        c.ask(b'stats reset\r\n')
        fill(c, 50)
        for _ in range(20):
            c.send(b'get k7\r\n' * 100)
            for _ in range(100):
                c.values()
        workers = c.stats(b'workers')
        count = int(workers['workers'])
        gets = [int(workers['worker:%d:cmd_get' % w]) for w in range(count)]
        self.assertEqual(sorted(gets)[-1], 2000)
        self.assertGreater(float(workers['imbalance_executed']), count * 0.8)

    def test_hot_keys_are_found(self):
        c = self.connect()
        self.assertEqual(c.stats(b'hotkeys'), {'hotkeys_status': 'disabled'})
        for wrong in (b'x', b'on 0', b'on x', b'on 1000001', b'on 5 5', b'off 1'):
            self.assertTrue(c.ask(b'stats hotkeys %s\r\n' % wrong).startswith(b'CLIENT_ERROR usage'), wrong)
        c.store(b'hot:r', b'v' * 100)
        self.assertEqual(c.ask(b'stats hotkeys on 8\r\n'), b'OK')
        for turn in range(40):
            c.send(b'get hot:r\r\n' * 100)
            for _ in range(100):
                c.values()
            c.send(b'set hot:w 0 0 5 noreply\r\nhello\r\n' * 50)
            c.send(b''.join(b'get cold%d\r\n' % n for n in range(turn * 100, turn * 100 + 100)))
            for _ in range(100):
                c.values()
        found = c.stats(b'hotkeys')
        self.assertEqual([found['hotkeys:1:key'], found['hotkeys:2:key']], ['hot%3Ar', 'hot%3Aw'])
        self.assertTrue(3000 < int(found['hotkeys:1:requests']) < 5500, found)
        self.assertEqual(found['hotkeys:1:writes'], '0')
        self.assertGreater(int(found['hotkeys:2:writes']), 1000)
        self.assertGreater(int(found['hotkeys:1:bytes']), 200_000)
        self.assertEqual(c.ask(b'stats hotkeys off\r\n'), b'OK')
        self.assertEqual(c.stats(b'hotkeys'), {'hotkeys_status': 'disabled'})

    def test_sizes_are_those_of_the_items(self):
        c = self.connect()
        c.ask(b'flush_all\r\n')
        self.wait_until(lambda: int(c.stats()['curr_items']) == 0, 'flushed items stay')
        fill(c, 10, b'small')
        fill(c, 5, b'large', 5000)
        sizes = {int(size): int(number) for size, number in c.stats(b'sizes').items()}
        self.assertEqual(sum(sizes.values()), 15)
        self.assertEqual(sum(n for size, n in sizes.items() if size > 5000), 5)
        self.assertTrue(all(size % 32 == 0 for size in sizes))

    def test_conns_are_the_connections(self):
        c = self.connect()
        other = self.connect()
        other.ask(b'mn\r\n')
        port = other.socket.getsockname()[1]
        conns = c.stats(b'conns')
        mine = [n.split(':')[0] for n, v in conns.items() if n.endswith(':addr') and v == 'tcp:127.0.0.1:%d' % port]
        self.assertEqual(len(mine), 1)
        self.assertEqual(conns[mine[0] + ':listen_addr'], 'tcp:127.0.0.1:%d' % self.server.port)
        self.assertEqual(conns[mine[0] + ':state'], 'conn_read')
        other.ask(b'watch evictions\r\n')
        self.assertEqual(c.stats(b'conns')[mine[0] + ':state'], 'conn_watch')


@under_both
class Dumps(ServerCase):
    server_arguments = ['-m', '64']

    def setUp(self):
        self.skip_for_stand_in('its dumps have no OK')
        self.c = self.connect()
        self.c.ask(b'lru_crawler enable\r\n')  # an error where it is on
        self.c.ask(b'flush_all\r\n')
        self.c.ask(b'lru_crawler crawl all\r\n')
        self.wait_until(lambda: int(self.c.stats()['curr_items']) == 0, 'flushed items stay')

    def test_a_dump_has_every_item_once(self):
        fill(self.c, 3000)
        fill(self.c, 20, b'large', 200000)
        self.c.store(b'odd\xff%&key', b'x', flags=9)
        self.c.fetch(b'k5')
        found = metadump(self.c)
        self.assertEqual(len(found), 3021)
        self.assertEqual(found[b'k5'][4], b'yes')
        self.assertEqual(found[b'k6'][4], b'no')
        self.assertEqual(found[b'k6'][1], b'-1')
        self.assertEqual(found[b'odd\xff%&key'][7], b'9')
        self.assertEqual(metadump(self.c, b'hash').keys(), found.keys())
        ids = {v[5] for v in found.values()}
        for i in ids:
            of_class = metadump(self.c, i)
            self.assertEqual(set(of_class), {k for k, v in found.items() if v[5] == i})
        self.assertEqual(metadump(self.c, b','.join(ids)).keys(), found.keys())

    def test_expiry_and_cas_are_the_items(self):
        before = time.time()
        self.c.store(b'soon', b'x', exptime=100)
        found = metadump(self.c)
        self.assertTrue(before - 2 <= int(found[b'soon'][2]) <= time.time() + 1, found[b'soon'])
        self.assertTrue(abs(int(found[b'soon'][1]) - time.time() - 100) <= 2, found[b'soon'])
        self.assertEqual(self.c.fetch(b'soon', verb=b'gets')[b'soon'][2], int(found[b'soon'][3]))

    def test_mgdump_is_requests(self):
        fill(self.c, 300)
        self.assertEqual(self.c.ask(b'lru_crawler mgdump all\r\n'), b'OK')
        lines = []
        while True:
            line = self.c.line()
            if line == b'EN':
                break
            lines.append(line)
        self.assertEqual(sorted(lines), sorted(b'mg k%d' % i for i in range(300)))

    def test_pipelined_commands_wait_for_the_dump(self):
        fill(self.c, 2000)
        self.c.send(b'mn\r\nlru_crawler metadump all\r\nget k1\r\nlru_crawler mgdump 1\r\nmn\r\n')
        self.assertEqual(self.c.line(), b'MN')
        self.assertEqual(self.c.line(), b'OK')
        lines = 0
        while True:
            while b'\n' not in self.c.unread:
                self.c._receive()
            line = self.c.read(self.c.unread.index(b'\n') + 1)
            if line == b'END\r\n':
                break
            lines += 1
        self.assertEqual(lines, 2000)
        self.assertEqual(self.c.values().keys(), {b'k1'})
        self.assertEqual(self.c.line(), b'OK')
        while self.c.line() != b'EN':
            pass
        self.assertEqual(self.c.line(), b'MN')

    def test_a_client_that_does_not_read_stops_its_own_dump_only(self):
        fill(self.c, 40000)
        slow = [self.connect(receive_buffer=4096) for _ in range(5)]
        for s in slow:
            s.send(b'lru_crawler metadump all\r\n')
        self.c.ask(b'mn\r\n')
        for _ in range(3):
            self.assertEqual(len(metadump(self.c)), 40000)
        # Nothing but a bounded piece waits for each of them.
        stats = self.c.stats()
        self.assertLess(int(stats['millrace_buffers_in_use']), 5 * 16)
        for s in slow[1:]:
            s.reset()
        self.assertEqual(len(metadump(slow[0])) if slow[0].unread else 40000, 40000)

    def test_going_away_in_the_middle(self):
        """The class of memcached 1.6.43 to 1.6.45's crashes: dump, then close, reset, half close, quit, other commands."""
        fill(self.c, 20000)
        for how in range(60):
            with self.server.connect() as c:
                c.send(b'lru_crawler metadump all\r\n' + (b'quit\r\n' if how % 5 == 0 else b'get k1\r\n'))
                if how % 3:
                    c.read(self.prng.randrange(1, 30000))
                if how % 4 == 1:
                    c.reset()
                elif how % 4 == 2:
                    c.half_close()
                    self.assertTrue(c.until_closed())
        self.assertEqual(len(metadump(self.c)), 20000)

    def test_writes_go_on_during_a_dump(self):
        fill(self.c, 20000)
        stop = threading.Event()
        failures = []

        def write():
            try:
                with self.server.connect() as w:
                    prng = __import__('random').Random(millrace_server.SEED)
                    while not stop.is_set():
                        i = prng.randrange(20000)
                        w.send(b'delete k%d\r\nset k%d 0 0 %d\r\n%s\r\n' % (i, i, i % 900, b'x' * (i % 900)))
                        w.line()
                        w.line()
            except Exception as e:  # told below: a thread's own would be lost
                failures.append(e)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(5):
                # What is stored anew may be met twice or not at all, so that only the form is held to.
                self.c.send(b'lru_crawler mgdump all\r\n')
                self.assertEqual(self.c.line(), b'OK')
                while True:
                    line = self.c.line()
                    if line == b'EN':
                        break
                    self.assertRegex(line, rb'^mg k\d+$')
        finally:
            stop.set()
            writer.join()
        self.assertEqual(failures, [])

    def test_a_crawl_takes_the_dead_out(self):
        self.c.ask(b'lru_crawler disable\r\n')
        fill(self.c, 5000, b'dead', exptime=1)
        fill(self.c, 1000, b'alive')
        time.sleep(2.1)
        self.assertEqual(int(self.c.stats()['curr_items']), 6000, 'switched off, nothing is taken out')
        self.assertEqual(self.c.ask(b'lru_crawler enable\r\n'), b'OK')
        starts = int(self.c.stats()['lru_crawler_starts'])
        self.assertIn(self.c.ask(b'lru_crawler crawl all\r\n'), (b'OK', b'BUSY currently processing crawler request'))
        self.wait_until(lambda: int(self.c.stats()['curr_items']) == 1000, 'a crawl leaves the dead')
        self.wait_until(lambda: self.c.stats()['lru_crawler_running'] == '0', 'a crawl does not end')
        stats = self.c.stats()
        self.assertEqual(int(stats['lru_crawler_starts']), starts + 1)
        self.assertGreaterEqual(int(stats['crawler_items_checked']), 5000)


@under_both
class SetAtStart(ServerCase):
    server_arguments = ['-m', '64', '-o', 'no_lru_crawler,lru_crawler_sleep=700,lru_crawler_tocrawl=9,slab_automove=0']

    def test_what_was_set_at_start_holds(self):
        self.skip_for_stand_in('its settings differ')
        c = self.connect()
        settings = c.stats(b'settings')
        self.assertEqual([settings[n] for n in ('lru_crawler', 'lru_crawler_sleep', 'lru_crawler_tocrawl', 'slab_automove')],
                         ['no', '700', '9', '0'])
        self.assertEqual(c.ask(b'lru_crawler metadump all\r\n'), b'CLIENT_ERROR lru crawler disabled')
        fill(c, 2000, exptime=1)
        time.sleep(2.5)
        self.assertEqual(c.stats()['curr_items'], '2000', 'nobody looks for them')
        self.assertEqual(c.ask(b'lru_crawler enable\r\n'), b'OK')
        self.wait_until(lambda: c.stats()['curr_items'] == '0', 'somebody looks for them again')


@under_both
class SmallPages(ServerCase):
    server_arguments = ['-m', '8']

    def test_the_factor_that_is_told_is_the_one_in_effect(self):
        self.skip_for_stand_in('its settings differ')
        self.assertEqual(self.connect().stats(b'settings')['growth_factor'], '1.25')


@under_both
class DumpsForbidden(ServerCase):
    server_arguments = ['-m', '64', '-X', '-F']

    def test_x_and_f_refuse(self):
        self.skip_for_stand_in('answers of 1.6.45')
        c = self.connect()
        for request, answer in ((b'lru_crawler metadump all', b'ERROR metadump not allowed'),
                                (b'lru_crawler mgdump all', b'ERROR key dump not allowed'),
                                (b'stats cachedump 1 0', b'CLIENT_ERROR stats cachedump not allowed'),
                                (b'stats hotkeys', b'CLIENT_ERROR stats hotkeys not allowed'),
                                (b'stats detail dump', b'CLIENT_ERROR stats detail not allowed'),
                                (b'flush_all', b'CLIENT_ERROR flush_all not allowed')):
            self.assertEqual(c.ask(request + b'\r\n'), answer)
        self.assertEqual(c.stats()['cmd_flush'], '1')


@under_both
class PagesByHand(ServerCase):
    server_arguments = ['-m', '16', '-f', '1.10']

    def test_a_page_changes_hands(self):
        self.skip_for_stand_in('its pages are 1 MiB')
        c = self.connect()
        self.assertEqual(c.ask(b'slabs automove 0\r\n'), b'OK')
        fill(c, 40000)
        slabs = c.stats(b'slabs')
        source = max((n.split(':')[0] for n in slabs if n.endswith(':total_pages')),
                     key=lambda i: int(slabs[i + ':total_pages']))
        target = '20' if source != '20' else '21'
        before = int(slabs[source + ':total_pages'])
        self.assertEqual(c.ask(b'slabs reassign %s %s\r\n' % (source.encode(), target.encode())), b'OK')
        slabs = c.stats(b'slabs')
        moved = int(slabs[target + ':total_pages'])
        self.assertGreaterEqual(moved, 1)
        self.assertEqual(int(slabs[source + ':total_pages']), before - moved)
        self.assertEqual(int(c.stats()['slabs_moved']), moved)

    def test_two_administrators_at_once(self):
        """Who move pages against each other, while items come and go: each is answered, and no page is lost or made."""
        self.skip_for_stand_in('its pages are 1 MiB')
        c = self.connect()
        fill(c, 40000)
        slabs = c.stats(b'slabs')
        classes = [n.split(':')[0].encode() for n in slabs if n.endswith(':total_pages')]
        page_bytes = max(int(slabs['%d:chunk_size' % int(i)]) * int(slabs['%d:chunks_per_page' % int(i)]) for i in classes)
        page_bytes = 1 << (page_bytes - 1).bit_length()

        def held():
            """Pages of all classes, of the index and of nobody."""
            general, slabs = c.stats(), c.stats(b'slabs')
            return (sum(int(n) for name, n in slabs.items() if name.endswith(':total_pages')) +
                    int(general['slab_global_page_pool']) + int(general['hash_bytes']) // page_bytes)
        before = held()
        ids = sorted({*classes, b'20', b'21'}, key=int)
        seed, wrong = self.prng.randrange(2**32), []

        def move(number):
            prng = random.Random(seed + number)
            try:
                with self.server.connect() as admin:
                    for _ in range(150):
                        a, b = prng.sample([*ids, b'0', b'-1'], 2)
                        answer = admin.ask(b'slabs reassign %s %s\r\n' % (a, b))
                        if answer not in (b'OK', b'NOSPARE source class has no spare pages', b'BADCLASS invalid src or dst class id'):
                            wrong.append(answer)
                        if answer.startswith(b'BADCLASS') != (b == b'-1'):
                            wrong.append((a, b, answer))
            except (OSError, Closed) as error:
                wrong.append(repr(error))

        threads = [threading.Thread(target=move, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            fill(c, 500)
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(held(), before)
        self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')
        fill(c, 1000)
        self.assertEqual(c.value(b'k999'), b'v' * 10)


class Tools(ServerCase):
    """The administrators' programs that Debian has."""
    server_arguments = ['-m', '64']

    def tool(self, *argv):
        path = shutil.which(argv[0]) or (argv[0] if os.path.exists(argv[0]) else None)
        if not path:
            self.skipTest('%s is not installed' % argv[0])
        done = subprocess.run([path, *argv[1:]], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_memcached_tool(self):
        script = '/usr/share/memcached/scripts/memcached-tool'
        fill(self.connect(), 200)
        here = '127.0.0.1:%d' % self.server.port
        shown = self.tool(script, here, 'display')
        self.assertRegex(shown, r'Item_Size')
        self.assertGreater(len(shown.splitlines()), 1)
        self.assertIn('curr_items', self.tool(script, here, 'stats'))
        self.assertIn('maxconns', self.tool(script, here, 'settings'))
        if not millrace_server.binary.is_stand_in:
            keys = self.tool(script, here, 'keys')
            self.assertEqual(len(re.findall(r'key=k\d+ ', keys)), 200, keys[:300])
        dump = self.tool(script, here, 'dump')
        self.assertEqual(len(re.findall(r'^add k\d+ 7 \d+ 10', dump, re.M)), 200)

    def test_memcstat_and_memcdump(self):
        fill(self.connect(), 200)
        here = '--servers=127.0.0.1:%d' % self.server.port
        self.assertIn('curr_items', self.tool('memcstat', here))
        self.assertEqual(len([k for k in self.tool('memcdump', here).split() if k.startswith('k')]), 200)


if __name__ == '__main__':
    millrace_server.run()
