#!/usr/bin/python3
"""Whatever arrives, the process stays within -m and what docs/limits.md adds to it."""
import millrace_server
from millrace_server import ServerCase, under_both
from wire import blob

MIB = 1 << 20
LIMIT_MIB = 64
# What a server may have beside the memory for items: its code and libraries; for each worker its rings, receive buffers
# and kept reply buffers, 12 MiB (docs/limits.md), and as much again that the allocator keeps for a while after a burst;
# and copies of what had been received for connections that were then paused, receive buffers twice over.
PROCESS_BYTES = 10 * MIB
WORKER_BYTES = 28 * MIB
# Replies that nobody reads take so much of each worker, with a little for each connection above.
REPLY_BYTES = 32 * MIB


@under_both
class MemoryBound(ServerCase):
    server_arguments = ['-m', str(LIMIT_MIB), '-I', '8m']

    def most(self):
        workers = int(self.worker_arguments[1])
        return LIMIT_MIB * MIB + PROCESS_BYTES + workers * WORKER_BYTES

    def assert_bounded(self, connection):
        stats = connection.stats()
        self.assertEqual(int(stats['limit_maxbytes']), LIMIT_MIB * MIB)
        self.assertLessEqual(int(stats['bytes']), LIMIT_MIB * MIB)
        if not millrace_server.binary.is_sanitized:
            self.assertLess(self.server.rss_bytes(), self.most())
        return stats

    def fill(self, connection, sizes, total_bytes):
        """Pipelined, with noreply; returns what was sent last."""
        values = {}
        while sum(map(len, values.values())) < 300_000:
            size = self.prng.choice(sizes)
            values[b'key:@@@@:%d' % len(values)] = blob(self.prng.randrange(size // 2, size + 1), self.prng).replace(b'@', b'a')
        batch = b''.join(b'set %s %d 0 %d noreply\r\n%s\r\n' % (k, len(v) % 3, len(v), v) for k, v in values.items())
        rounds = 1 + total_bytes // len(batch)
        for number in range(rounds):
            connection.send(batch.replace(b'@@@@', b'%04d' % number))
        self.assertEqual(connection.ask(b'mn\r\n'), b'MN')
        return {k.replace(b'@@@@', b'%04d' % (rounds - 1)): v for k, v in values.items()}

    def test_filled_far_beyond_its_memory(self):
        c = self.connect()
        before = self.assert_bounded(c)
        peak = 0
        for sizes in [40, 100, 300], [1000, 4000], [20_000, 100_000], [40, 1000, 30_000, 1_000_000], [7_000_000], [64]:
            last = self.fill(c, sizes, 2 * LIMIT_MIB * MIB)
            # With -I at a quarter of a partition's memory, values of that size leave no room for many.
            kept = {k: v for k, (_, v, _) in c.fetch(*list(last)[-3:]).items()}
            self.assertTrue(kept, 'not even the last values are there')
            for key, value in kept.items():
                self.assertEqual(value, last[key])
            stats = self.assert_bounded(c)
            peak = max(peak, self.server.rss_bytes())
        self.assertGreater(int(stats['evictions']), int(before['evictions']))
        print('at -m %d with %s: at most %.1f MiB resident' % (LIMIT_MIB, self.worker_arguments, peak / MIB))

    def test_many_connections_that_ask_and_do_not_read(self):
        c = self.connect()
        self.fill(c, [900], 20 * MIB)
        value = blob(4000, self.prng)
        names = [b'reply%d' % number for number in range(8)]
        for name in names:
            self.assertEqual(c.store(name, value), b'STORED')
            self.assertIn(c.value(name), (value, None))  # asked for, it is worth keeping; but a cache may evict
        before = self.server.rss_bytes()
        asked = b''.join(b'get %s\r\n' % name for name in names) * 100 + b'mn\r\n'
        crowd = [self.connect(receive_buffer=4096) for _ in range(300)]
        for one in crowd:
            one.socket.setblocking(False)
        left = {one: asked for one in crowd}
        for _ in range(5):
            for one in crowd:
                try:
                    sent = one.socket.send(left[one])
                    left[one] = left[one][sent:]
                except BlockingIOError:
                    pass
        # Whoever is patient is served meanwhile.
        answers = [c.value(name) for name in names * 6]
        self.assertLess(answers.count(None), len(answers) / 2)
        self.assertEqual(set(answers) - {None}, {value})
        grown = self.server.rss_bytes() - before
        workers = int(self.worker_arguments[1])
        print('%d connections that do not read: %.1f MiB more with %s' % (len(crowd), grown / MIB, self.worker_arguments))
        if not millrace_server.binary.is_sanitized:
            self.assertLess(grown, workers * (REPLY_BYTES + WORKER_BYTES) + len(crowd) * 16 * 1024)
        # And everybody gets all that he asked for once he reads, in his order.
        missed = 0
        for one in crowd[:20]:
            one.socket.settimeout(30)
            one.send(left[one])
            for _ in range(100):
                for name in names:
                    found = one.values()
                    missed += name not in found
                    self.assertIn(found, ({}, {name: (0, value, None)}))
            self.assertEqual(one.line(), b'MN')
        self.assertLess(missed, 20 * 100 * len(names) / 2)
        for one in crowd:
            one.close()

    def test_a_lower_limit_gives_memory_back_to_the_system(self):
        c = self.connect()
        self.fill(c, [300], 2 * LIMIT_MIB * MIB)
        if millrace_server.binary.is_sanitized:
            self.skipTest('the sanitizer keeps memory of its own')
        full = self.server.rss_bytes()
        self.addCleanup(c.ask, b'cache_memlimit %d\r\n' % LIMIT_MIB)  # the server is everybody's
        self.assertEqual(c.ask(b'cache_memlimit 24\r\n'), b'OK')
        self.assertEqual(int(c.stats()['limit_maxbytes']), 24 * MIB)
        self.wait_until(lambda: int(c.stats()['millrace_memory_given_back']) == (LIMIT_MIB - 24) * MIB,
                        'it was not given back')
        self.assertLess(self.server.rss_bytes(), full - 36 * MIB)
        last = self.fill(c, [300], 2 * LIMIT_MIB * MIB)
        self.assertLess(self.server.rss_bytes(), full - 30 * MIB, 'and it stays there')
        key = list(last)[-1]
        self.assertEqual(c.value(key), last[key])
        self.assertEqual(c.ask(b'cache_memlimit %d\r\n' % LIMIT_MIB), b'OK')
        self.wait_until(lambda: int(c.stats()['millrace_memory_given_back']) == 0, 'it was not taken again')
        last = self.fill(c, [300], 2 * LIMIT_MIB * MIB)
        key = list(last)[-1]
        self.assertEqual(c.value(key), last[key])
        self.assert_bounded(c)

    def test_many_connections_in_the_middle_of_something(self):
        c = self.connect()
        before = self.server.rss_bytes()
        halfway = [self.connect() for _ in range(400)]
        for number, h in enumerate(halfway):
            h.send((b'get ' + b'k' * 200, b'set k 0 0 1000\r\n' + b'x' * 500, b'set k 0 0 20000\r\n' + b'y' * 10_000)[number % 3])
        stats = self.assert_bounded(c)
        self.assertEqual(int(stats['curr_connections']), 401)
        print('%.1f KiB for each connection halfway through a request' % ((self.server.rss_bytes() - before) / 1024 / 400))
        for h in halfway:
            h.close()


class Growing(ServerCase):
    """--memory-max: the limit may be raised beyond -m, and only then is the memory taken."""
    server_arguments = ['-m', '32', '-t', '2', '--oversubscribe', '--memory-max', '96', '-I', '64k']

    def fill(self, c, first, count):
        for start in range(first, first + count, 100):
            c.send(b''.join(b'set g%d 0 0 1000 noreply\r\n%s\r\n' % (i, b'v' * 1000) for i in range(start, start + 100)))
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')

    def test_up_and_down_again(self):
        self.skip_for_stand_in('it has none')
        c = self.connect()
        stats = lambda name: int(c.stats()[name])
        self.fill(c, 0, 60_000)
        self.assertGreater(stats('evictions'), 0)
        self.assertLess(stats('curr_items'), 32 * 1024)
        before = self.server.rss_bytes()
        self.assertEqual(c.ask(b'cache_memlimit 97\r\n'), b'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust')
        self.assertEqual(stats('limit_maxbytes'), 32 * MIB)
        self.assertEqual(c.ask(b'cache_memlimit 96\r\n'), b'OK')
        self.assertEqual(stats('limit_maxbytes'), 96 * MIB)
        evicted = stats('evictions')
        self.fill(c, 100_000, 40_000)
        self.assertEqual(stats('evictions'), evicted, 'there is room for these')
        self.assertGreater(stats('curr_items'), 64 * 1024)
        if not millrace_server.binary.is_sanitized:
            self.assertGreater(self.server.rss_bytes(), before + 30 * MIB)
        self.fill(c, 200_000, 60_000)
        self.assertGreater(stats('evictions'), evicted)
        self.assertLess(stats('curr_items'), 96 * 1024)
        self.assertEqual(stats('millrace_memory_given_back'), 0)
        self.assertEqual(c.ask(b'cache_memlimit 32\r\n'), b'OK')
        self.wait_until(lambda: stats('curr_items') < 32 * 1024, 'the surplus stays')
        if not millrace_server.binary.is_sanitized:
            self.wait_until(lambda: self.server.rss_bytes() < before + 16 * MIB, 'the memory stays')
        self.fill(c, 300_000, 1000)
        self.assertEqual(c.value(b'g300999'), b'v' * 1000)


if __name__ == '__main__':
    millrace_server.run()
