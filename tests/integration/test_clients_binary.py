#!/usr/bin/python3
"""Clients that speak the binary protocol, unmodified: pylibmc (libmemcached), bmemcached, the libmemcached tools, both PHP
extensions and memcached's sessions, Ruby's Dalli 3, memjs; those that can authenticate by SASL do that, too.
"""
import os
import tempfile

import millrace_server
from client_case import ClientCase, NEARLY_TOO_LARGE, PASSWORD, USER, in_all_ways
from wire import blob

@in_all_ways
class Pylibmc(ClientCase):
    def client(self, address, **options):
        try:
            import pylibmc
        except ImportError:
            self.skipTest('pylibmc is not installed')
        self.pylibmc = pylibmc
        return pylibmc.Client([address], binary=True, behaviors={'cas': True, 'tcp_nodelay': True}, **options)

    def works(self, mc):
        values = {'key:%d' % i: os.urandom(i * 37 % 500) for i in range(5000)}
        self.assertEqual(mc.set_multi(values), [])
        self.assertEqual(mc.get_multi(list(values) + ['none']), values)
        for size in (0, 1, 1023, 65536, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(mc.set('size', value))
            self.assertEqual(mc.get('size'), value)
        self.assertFalse(mc.add('size', 'x'))
        self.assertTrue(mc.replace('key:1', 'new'))
        self.assertTrue(mc.append('key:1', '>'))
        self.assertTrue(mc.prepend('key:1', '<'))
        self.assertEqual(mc.get('key:1'), '<new>')
        self.assertTrue(mc.set('counter', 0))
        for i in range(50):
            value, cas = mc.gets('counter')
            self.assertTrue(mc.cas('counter', value + 1, cas))
            self.assertFalse(mc.cas('counter', value + 2, cas))
        self.assertEqual(mc.get('counter'), 50)
        self.assertTrue(mc.set('n', 10))
        self.assertEqual(mc.incr('n', 5), 15)
        self.assertEqual(mc.decr('n', 100), 0)
        with self.assertRaises(self.pylibmc.NotFound):
            mc.incr('no number')
        self.assertTrue(mc.touch('n', 100))
        self.assertTrue(mc.delete('n'))
        self.assertFalse(mc.delete('n'))
        self.assertIsNone(mc.get('n'))
        ((_, stats),) = mc.get_stats()
        self.assertGreater(int(stats['curr_items']), 299)
        self.assertTrue(mc.flush_all())
        self.assertEqual(mc.get_multi(list(values)), {})

    def test_binary(self):
        mc = self.client(self.address)
        self.works(mc)
        mc.disconnect_all()

    def test_sasl(self):
        self.skip_where_libmemcached_does_not_log_in()
        address = self.address_of(self.guarded())
        self.works(self.client(address, username=USER, password=PASSWORD))
        for user, password in ((USER, 'wrong'), ('bob', PASSWORD)):
            mc = self.client(address, username=user, password=password)
            with self.assertRaises(self.pylibmc.Error):
                mc.set('a', 'x')
            mc.disconnect_all()


@in_all_ways
class Bmemcached(ClientCase):
    def client(self, address, **options):
        try:
            import bmemcached
        except ImportError:
            self.skipTest('python3-binary-memcached is not installed')
        self.bmemcached = bmemcached
        client = bmemcached.Client((address,), socket_timeout=60 * millrace_server.binary.patience, **options)
        self.addCleanup(client.disconnect_all)
        return client

    def works(self, mc, other):
        values = {'key:%d' % i: os.urandom(i * 37 % 500) for i in range(5000)}
        self.assertEqual(mc.set_multi(values), [])
        self.assertEqual(mc.get_multi(list(values) + ['none']), values)
        self.assertTrue(mc.delete_multi(list(values)[:2000]))
        self.assertEqual(len(mc.get_multi(list(values))), 3000)
        for size in (0, 1, 1023, 65536, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(mc.set('size', value, compress_level=0))
            self.assertEqual(mc.get('size'), value)
        self.assertFalse(mc.add('size', b'x'))
        self.assertFalse(mc.replace('none', b'x'))
        self.assertEqual(mc.incr('n', 5, default=10), 10)
        self.assertEqual(mc.incr('n', 5), 15)
        self.assertEqual(mc.decr('n', 100), 0)
        self.assertTrue(mc.set('counter', 0))
        for i in range(50):
            value, cas = mc.gets('counter')
            if i % 2:
                self.assertTrue(other.set('counter', value + 1000))
                self.assertFalse(mc.cas('counter', value + 1, cas))
                value, cas = mc.gets('counter')
            self.assertTrue(mc.cas('counter', value + 1, cas))
        self.assertEqual(mc.get('counter'), 50 + 25 * 1000)
        self.assertTrue(mc.delete('n'))
        self.assertIsNone(mc.get('n'))
        self.assertIn('curr_items', list(mc.stats().values())[0])
        self.assertTrue(mc.flush_all())
        self.assertEqual(mc.get_multi(list(values)), {})
        for client in (mc, other):
            client.disconnect_all()

    def test_everyday(self):
        self.works(self.client(self.address), self.client(self.address))

    def test_sasl(self):
        address = self.address_of(self.guarded())
        known = {'username': USER, 'password': PASSWORD}
        self.works(self.client(address, **known), self.client(address, **known))
        with self.assertRaises(self.bmemcached.exceptions.MemcachedException):
            self.client(address, username=USER, password='wrong').get('a')


@in_all_ways
class Tools(ClientCase):
    def test_libmemcached_tools(self):
        def tool(name, *words, status=0):
            return self.run_tool(name, '--servers=' + self.address, '--binary', *words, status=status)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'one')
            data = blob(100000, self.prng)
            with open(path, 'wb') as f:
                f.write(data)
            tool('memccp', path)
            tool('memccat', '--file=' + path + '.out', 'one')
            with open(path + '.out', 'rb') as f:
                self.assertEqual(f.read(), data)
        tool('memcexist', 'one')
        tool('memcexist', 'none', status=1)
        tool('memctouch', '--expire=100', 'one')
        tool('memcrm', 'one')
        tool('memcexist', 'one', status=1)
        tool('memcflush')
        self.assertIn('pid: %d' % self.server.pid, self.run_tool('memcstat', '--servers=' + self.address, '--binary'))


@in_all_ways
class OtherLanguages(ClientCase):
    def test_php_memcached_and_its_sessions(self):
        self.script_says_done('php', 'memcached_binary.php', *self.host_and_port(self.server))

    def test_php_memcached_by_sasl(self):
        self.skip_where_libmemcached_does_not_log_in()
        self.script_says_done('php', 'memcached_binary.php', *self.host_and_port(self.guarded()), USER, PASSWORD)

    def test_php_memcache(self):
        self.script_says_done('php', 'memcache.php', *self.host_and_port(self.server, 'unix://'), 'binary')

    def test_ruby_dalli(self):
        self.script_says_done('ruby', 'dalli_binary.rb', self.address)

    def test_ruby_dalli_by_sasl(self):
        self.script_says_done('ruby', 'dalli_binary.rb', self.address_of(self.guarded()),
                              environment={'MEMCACHE_USERNAME': USER, 'MEMCACHE_PASSWORD': PASSWORD})

    def test_memjs(self):
        self.node_says_done('memjs_binary.js', self.address)

    def test_memjs_by_sasl(self):
        self.node_says_done('memjs_binary.js', self.address_of(self.guarded()), USER, PASSWORD)


if __name__ == '__main__':
    millrace_server.run()
