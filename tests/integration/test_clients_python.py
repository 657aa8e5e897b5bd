#!/usr/bin/python3
"""Three Python clients, unmodified, over TCP and over a unix socket: pymemcache, pylibmc (libmemcached, text),
python-memcached. Each does what applications do with it; what it cannot do is left out by name.
"""
import threading

import millrace_server
from client_case import ClientCase, NEARLY_TOO_LARGE, TOO_LARGE, in_all_ways
from wire import blob

try:
    import pymemcache
    from pymemcache.client.base import Client as PymemcacheClient, PooledClient
    from pymemcache.exceptions import MemcacheServerError
except ImportError:
    pymemcache = None
try:
    import pylibmc
except ImportError:
    pylibmc = None
try:
    import memcache
except ImportError:
    memcache = None

UGLY = b'\0\r\nEND\r\n\xff\xfe\x80 VALUE a 0 1\r\n' + bytes(range(256))


@in_all_ways
class Pymemcache(ClientCase):
    def client(self, **options):
        if not pymemcache:
            self.skipTest('python3-pymemcache is not installed')
        address = self.server.unix_path or ('127.0.0.1', self.server.port)
        client = PymemcacheClient(address, no_delay=True, timeout=30 * millrace_server.binary.patience, **options)
        self.addCleanup(client.close)
        return client

    def test_set_get_delete_without_replies(self):
        """noreply is this client's default: what was set is there for the next request of the connection all the same."""
        c = self.client()
        for i in range(500):
            c.set('key:%d' % i, b'v%d' % i)
            self.assertEqual(c.get('key:%d' % i), b'v%d' % i)
        c.delete('key:7')
        self.assertIsNone(c.get('key:7'))
        c.delete_many(['key:%d' % i for i in range(100)])
        self.assertEqual(len(c.get_many(['key:%d' % i for i in range(200)])), 100)
        c.set('touched', b'x')
        c.touch('touched', -1)
        self.assertIsNone(c.get('touched'))
        c.flush_all()
        self.assertIsNone(c.get('key:150'))

    def test_with_replies(self):
        c = self.client(default_noreply=False)
        self.assertTrue(c.set('a', b'1', expire=100))
        self.assertFalse(c.add('a', b'2'))
        self.assertTrue(c.add('b', b'2'))
        self.assertTrue(c.replace('b', b'3'))
        self.assertFalse(c.replace('none', b'3'))
        self.assertTrue(c.append('b', b'4'))
        self.assertTrue(c.prepend('b', b'2'))
        self.assertEqual(c.get('b'), b'234')
        self.assertFalse(c.append('none', b'x'))
        self.assertFalse(c.prepend('none', b'x'))
        self.assertEqual(c.incr('b', 6), 240)
        self.assertEqual(c.decr('b', 1000), 0)
        self.assertIsNone(c.incr('none', 1))
        self.assertTrue(c.touch('a', 50))
        self.assertFalse(c.touch('none', 50))
        self.assertTrue(c.delete('a'))
        self.assertFalse(c.delete('a'))
        self.assertTrue(c.flush_all())
        self.assertIsNone(c.get('b'))

    def test_thousands_of_keys_at_once(self):
        c = self.client(default_noreply=False)
        values = {'multi:%d' % i: blob(self.prng.randrange(300), self.prng) for i in range(4000)}
        self.assertEqual(c.set_many(values), [])
        self.assertEqual(c.get_many(list(values)), values)
        with_cas = c.gets_many(list(values))
        self.assertEqual({k: v for k, (v, _) in with_cas.items()}, values)
        c.set_many(values)
        for key, (value, cas) in c.gets_many(list(values)).items():
            self.assertEqual(value, values[key])
            self.assertNotEqual(cas, with_cas[key][1], 'a change left the cas number of %s as it was' % key)

    def test_cas_loop(self):
        self.client(default_noreply=False).set('counter', b'0')

        def add_hundred():
            c = self.client()
            for _ in range(100):
                while True:
                    value, cas = c.gets('counter')
                    if c.cas('counter', b'%d' % (int(value) + 1), cas, noreply=False):
                        break

        threads = [threading.Thread(target=add_hundred) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        c = self.client()
        self.assertEqual(c.get('counter'), b'400')
        self.assertIsNone(c.cas('none', b'1', b'5', noreply=False))

    def test_get_and_touch(self):
        c = self.client(default_noreply=False)
        if not hasattr(c, 'gat'):
            self.skipTest('pymemcache before 4.0 has no gat')
        c.set('g', b'value')
        self.assertEqual(c.gat('g', expire=100), b'value')
        self.assertEqual(c.gats('g', expire=-1)[0], b'value')
        self.assertIsNone(c.get('g'))

    def test_values_of_all_sizes(self):
        c = self.client(default_noreply=False)
        for size in (0, 1, 1023, 4096, 16384, 65536, 300000, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(c.set('size', value))
            self.assertEqual(c.get('size'), value)
        self.assertTrue(c.set('ugly', UGLY))
        self.assertEqual(c.get('ugly'), UGLY)
        with self.assertRaisesRegex(MemcacheServerError, 'object too large for cache'):
            c.set('size', b'x' * TOO_LARGE)
        self.assertIsNone(c.get('size'), 'a refused set leaves no old value behind')
        self.assertTrue(c.set('size', b'small again'))

    def test_administration(self):
        c = self.client(default_noreply=False)
        self.assertRegex(c.version(), rb'^[1-9]\d*\.\d+\.\d+$')
        stats = c.stats()
        self.assertGreater(stats[b'cmd_get'] + stats[b'cmd_set'] + 1, 0)
        self.assertEqual(stats[b'pid'], self.server.pid)
        self.assertIsInstance(c.stats('settings')[b'maxbytes'], int)
        self.assertTrue(c.cache_memlimit(256))

    def test_pool_of_threads(self):
        if not pymemcache:
            self.skipTest('python3-pymemcache is not installed')
        address = self.server.unix_path or ('127.0.0.1', self.server.port)
        pool = PooledClient(address, no_delay=True, max_pool_size=8, timeout=30 * millrace_server.binary.patience, default_noreply=False)
        wrong = []

        def work(number):
            for i in range(150):
                key = 'pool:%d:%d' % (number, i)
                pool.set(key, key.encode())
                if pool.get(key) != key.encode():
                    wrong.append(key)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        pool.close()
        self.assertEqual(wrong, [])


@in_all_ways
class Pylibmc(ClientCase):
    def client(self, **behaviors):
        if not pylibmc:
            self.skipTest('python3-pylibmc is not installed')
        client = pylibmc.Client([self.address], binary=False, behaviors=dict(behaviors, cas=True, tcp_nodelay=True))
        self.addCleanup(client.disconnect_all)
        return client

    def test_everyday(self):
        c = self.client()
        self.assertTrue(c.set('a', 'text'))
        self.assertEqual(c.get('a'), 'text')
        self.assertFalse(c.add('a', 'x'))
        self.assertTrue(c.add('b', b'bytes'))
        self.assertTrue(c.replace('b', b'more'))
        self.assertTrue(c.append('b', b'!'))
        self.assertTrue(c.prepend('b', b'?'))
        self.assertEqual(c.get('b'), b'?more!')
        self.assertTrue(c.set('n', 10))
        self.assertEqual(c.incr('n', 5), 15)
        self.assertEqual(c.decr('n', 20), 0)
        with self.assertRaises(pylibmc.NotFound):
            c.incr('none')
        self.assertTrue(c.touch('a', 100))
        self.assertFalse(c.touch('none', 100))
        self.assertTrue(c.delete('a'))
        self.assertFalse(c.delete('a'))
        self.assertIsNone(c.get('a'))
        self.assertTrue(c.set('o', {'some': ['object', 1.5]}, time=60))
        self.assertEqual(c.get('o'), {'some': ['object', 1.5]})
        self.assertTrue(c.set('z', 'compressed' * 10000, min_compress_len=100))
        self.assertEqual(c.get('z'), 'compressed' * 10000)

    def test_thousands_of_keys_at_once(self):
        c = self.client()
        values = {'multi:%d' % i: blob(self.prng.randrange(300), self.prng) for i in range(4000)}
        self.assertEqual(c.set_multi(values), [])
        self.assertEqual(c.get_multi(list(values)), values)
        self.assertTrue(c.delete_multi(list(values)[:300]))
        self.assertEqual(len(c.get_multi(list(values))), 3700)

    def test_without_replies(self):
        c = self.client(no_block=True, _noreply=True)
        for i in range(300):
            c.set('quiet:%d' % i, 'v%d' % i)
        found = self.client().get_multi(['quiet:%d' % i for i in range(300)])
        until = 100
        while len(found) < 300 and until:   # another connection: it may have to wait for this one's bytes
            c.get('quiet:0')
            found = self.client().get_multi(['quiet:%d' % i for i in range(300)])
            until -= 1
        self.assertEqual(found, {'quiet:%d' % i: 'v%d' % i for i in range(300)})

    def test_cas_loop(self):
        c, d = self.client(), self.client()
        c.set('counter', 0)
        for i in range(100):
            value, cas = c.gets('counter')
            if i % 3 == 0:
                d.incr('counter')   # in between: the cas must fail once
                self.assertFalse(self.is_stored_by_cas(c, value + 1, cas))
                value, cas = c.gets('counter')
            self.assertTrue(c.cas('counter', value + 1, cas))
        self.assertEqual(c.get('counter'), 134)

    def is_stored_by_cas(self, client, value, cas):
        """libmemcached says EXISTS either by False or by an exception of its own; both are right."""
        try:
            return client.cas('counter', value, cas)
        except pylibmc.Error as e:
            self.assertIn('EXISTS', str(e).upper())
            return False

    def test_values_of_all_sizes(self):
        c = self.client()
        for size in (0, 1, 1023, 4096, 16384, 65536, 300000, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(c.set('size', value))
            self.assertEqual(c.get('size'), value)
        self.assertTrue(c.set('ugly', UGLY))
        self.assertEqual(c.get('ugly'), UGLY)
        with self.assertRaises((pylibmc.TooBig, pylibmc.Error)) as caught:
            c.set('size', blob(TOO_LARGE, self.prng))
        self.assertNotIn('Timeout', type(caught.exception).__name__)
        self.assertIsNone(c.get('size'))
        self.assertTrue(c.set('size', b'small again'))
        self.assertEqual(c.get('size'), b'small again')

    def test_administration(self):
        c = self.client()
        (_, stats), = c.get_stats()
        self.assertRegex(stats['version'] if isinstance(stats['version'], str) else stats['version'].decode(),
                         r'^[1-9]\d*\.\d+\.\d+$')
        (_, settings), = c.get_stats('settings')
        self.assertTrue(settings)
        self.assertTrue(c.set('gone', 1))
        self.assertTrue(c.flush_all())
        self.assertIsNone(c.get('gone'))


@in_all_ways
class PythonMemcached(ClientCase):
    def client(self, **options):
        if not memcache:
            self.skipTest('python3-memcache is not installed')
        address = 'unix:' + self.server.unix_path if self.server.unix_path else '127.0.0.1:%d' % self.server.port
        client = memcache.Client([address], socket_timeout=30 * millrace_server.binary.patience, cache_cas=True, **options)
        self.addCleanup(client.disconnect_all)
        return client

    def test_everyday(self):
        c = self.client()
        self.assertTrue(c.set('a', 'text', time=100))
        self.assertEqual(c.get('a'), 'text')
        self.assertFalse(c.add('a', 'x'))
        self.assertTrue(c.add('b', 'mid'))
        self.assertTrue(c.replace('b', 'mid2'))
        self.assertTrue(c.append('b', '!'))
        self.assertTrue(c.prepend('b', '?'))
        self.assertEqual(c.get('b'), '?mid2!')
        self.assertTrue(c.set('n', '10'))
        self.assertEqual(c.incr('n', 5), 15)
        self.assertEqual(c.decr('n', 20), 0)
        self.assertIsNone(c.incr('none'))
        self.assertTrue(c.touch('a', 100))
        self.assertTrue(c.delete('a'))
        self.assertIsNone(c.get('a'))
        self.assertTrue(c.set('o', {'some': ['object', 1.5]}))
        self.assertEqual(c.get('o'), {'some': ['object', 1.5]})
        self.assertTrue(c.set('number', 12345678901234567890))
        self.assertEqual(c.get('number'), 12345678901234567890)

    def test_thousands_of_keys_at_once(self):
        c = self.client()
        values = {'multi:%d' % i: 'v' * self.prng.randrange(300) for i in range(4000)}
        self.assertEqual(c.set_multi(values), [])
        self.assertEqual(c.get_multi(list(values)), values)
        self.assertTrue(c.delete_multi(list(values)[:300]))
        self.assertEqual(len(c.get_multi(list(values))), 3700)
        self.assertEqual(c.set_multi({'q%d' % i: 'x' for i in range(50)}, noreply=True), [])
        self.assertEqual(len(c.get_multi(['q%d' % i for i in range(50)])), 50)

    def test_cas_loop(self):
        c, d = self.client(), self.client()
        c.set('counter', 0)
        for i in range(50):
            value = c.gets('counter')
            if i % 2:
                d.set('counter', value + 1000)
                self.assertFalse(c.cas('counter', value + 1))
                value = c.gets('counter')
            self.assertTrue(c.cas('counter', value + 1))
        self.assertEqual(c.get('counter'), 50 + 25 * 1000)

    def test_values_of_all_sizes(self):
        c = self.client()
        for size in (0, 1, 1023, 4096, 65536, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(c.set('size', value))
            self.assertEqual(c.get('size'), value)
        self.assertTrue(c.set('ugly', UGLY))
        self.assertEqual(c.get('ugly'), UGLY)
        # This client refuses by itself what is too large; told to let it through, it must see the server's refusal.
        bold = self.client(server_max_value_length=0)
        self.assertFalse(bold.set('size', b'x' * TOO_LARGE))
        self.assertIsNone(bold.get('size'))
        self.assertTrue(bold.set('size', 'small again'))
        self.assertEqual(bold.get('size'), 'small again')

    def test_administration(self):
        c = self.client()
        (_, stats), = c.get_stats()
        self.assertRegex(stats['version'], r'^[1-9]\d*\.\d+\.\d+$')
        (_, settings), = c.get_stats('settings')
        self.assertTrue(settings)
        c.set('gone', 1)
        c.flush_all()
        self.assertIsNone(c.get('gone'))


if __name__ == '__main__':
    millrace_server.run()
