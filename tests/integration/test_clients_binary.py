#!/usr/bin/python3
"""Clients that speak the binary protocol, unmodified: pylibmc (libmemcached), the libmemcached tools, php-memcached with its
sessions, Ruby's Dalli 3 and memjs where they are installed; those that can authenticate by SASL do that, too.
"""
import os
import shutil
import subprocess
import tempfile

import millrace_server
from binary_wire import BinaryWire, OK, VERSION, packet
from millrace_server import ServerCase, under_both
from wire import Closed, blob

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients')
USERS = 'alice:secret\n'


class ClientCase(ServerCase):
    server_arguments = ['-m', '256']

    def setUp(self):
        if self.server:
            with self.server.connect() as c:
                self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')

    def run_tool(self, *argv, status=0, **options):
        if not shutil.which(argv[0]):
            self.skipTest('%s is not installed' % argv[0])
        answer = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=120 * millrace_server.binary.patience, **options)
        if status is not None:
            self.assertEqual(answer.returncode, status, '%s\n%s' % (' '.join(argv), answer.stdout.decode(errors='replace')))
        return answer.stdout.decode(errors='replace')

    def script_says_done(self, *argv, **options):
        said = self.run_tool(*argv, status=None, **options)
        if 'cannot load' in said:
            self.skipTest(said.strip())
        self.assertTrue(said.rstrip().endswith('all done'), said)

    def guarded(self):
        """A server that wants SASL."""
        self.skip_for_stand_in('Debian builds it for other files of users')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'users')
        with open(path, 'w') as f:
            f.write(USERS)
        server = self.start('-S', '--sasl-pwdb', path, '-m', '256', waits=False)

        def answers():
            try:
                with BinaryWire(port=server.port, timeout=5) as c:
                    return c.ask(packet(VERSION)).status == OK
            except (OSError, Closed):
                return False
        self.wait_until(answers, 'it does not answer')
        return server


@under_both
class Pylibmc(ClientCase):
    def client(self, port, **options):
        try:
            import pylibmc
        except ImportError:
            self.skipTest('pylibmc is not installed')
        self.pylibmc = pylibmc
        return pylibmc.Client(['127.0.0.1:%d' % port], binary=True, behaviors={'cas': True, 'tcp_nodelay': True}, **options)

    def works(self, mc):
        values = {'key:%d' % i: os.urandom(i * 37 % 5000) for i in range(300)}
        self.assertEqual(mc.set_multi(values), [])
        self.assertEqual(mc.get_multi(list(values) + ['none']), values)
        big = blob(900000, self.prng)
        self.assertTrue(mc.set('big', big))
        self.assertEqual(mc.get('big'), big)
        self.assertFalse(mc.add('big', 'x'))
        self.assertTrue(mc.replace('key:1', 'new'))
        self.assertTrue(mc.append('key:1', '>'))
        self.assertTrue(mc.prepend('key:1', '<'))
        self.assertEqual(mc.get('key:1'), '<new>')
        value, cas = mc.gets('key:1')
        self.assertTrue(mc.cas('key:1', 'newer', cas))
        self.assertFalse(mc.cas('key:1', 'newest', cas))
        self.assertEqual(mc.get('key:1'), 'newer')
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
        mc = self.client(self.server.port)
        self.works(mc)
        mc.disconnect_all()

    def test_sasl(self):
        server = self.guarded()
        self.works(self.client(server.port, username='alice', password='secret'))
        for user, password in (('alice', 'wrong'), ('bob', 'secret')):
            mc = self.client(server.port, username=user, password=password)
            with self.assertRaises(self.pylibmc.Error):
                mc.set('a', 'x')
            mc.disconnect_all()
        server.stop()


@under_both
class Tools(ClientCase):
    def test_libmemcached_tools(self):
        def tool(name, *words, status=0):
            return self.run_tool(name, '--servers=127.0.0.1:%d' % self.server.port, '--binary', *words, status=status)
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
        self.assertIn('pid: %d' % self.server.pid, self.run_tool('memcstat', '--servers=127.0.0.1:%d' % self.server.port, '--binary'))


@under_both
class OtherLanguages(ClientCase):
    def test_php_memcached_and_its_sessions(self):
        self.script_says_done('php', os.path.join(SCRIPTS, 'memcached_binary.php'), '127.0.0.1', str(self.server.port))

    def test_php_memcached_by_sasl(self):
        server = self.guarded()
        self.script_says_done('php', os.path.join(SCRIPTS, 'memcached_binary.php'), '127.0.0.1', str(server.port), 'alice', 'secret')
        server.stop()

    def test_ruby_dalli(self):
        self.script_says_done('ruby', os.path.join(SCRIPTS, 'dalli_binary.rb'), '127.0.0.1:%d' % self.server.port)

    def test_ruby_dalli_by_sasl(self):
        server = self.guarded()
        self.script_says_done('ruby', os.path.join(SCRIPTS, 'dalli_binary.rb'), '127.0.0.1:%d' % server.port,
                              env=dict(os.environ, MEMCACHE_USERNAME='alice', MEMCACHE_PASSWORD='secret'))
        server.stop()

    def test_memjs(self):
        self.script_says_done('node', os.path.join(SCRIPTS, 'memjs_binary.js'), '127.0.0.1:%d' % self.server.port)

    def test_memjs_by_sasl(self):
        server = self.guarded()
        self.script_says_done('node', os.path.join(SCRIPTS, 'memjs_binary.js'), '127.0.0.1:%d' % server.port, 'alice', 'secret')
        server.stop()


del ClientCase

if __name__ == '__main__':
    millrace_server.run()
