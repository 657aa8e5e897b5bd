#!/usr/bin/python3
"""Clients that are programs or other languages: both PHP extensions, Perl's Cache::Memcached and Cache::Memcached::Fast,
npm's memcached, Go's gomemcache, the Apache library's client, the libmemcached tools, and nutcracker (twemproxy) in front
of two servers. Unmodified, text protocol, TCP and unix socket.
"""
import os
import shutil
import subprocess
import tempfile
import time

import apr_memcache
import millrace_server
from client_case import ClientCase, NEARLY_TOO_LARGE, SCRIPTS, build_folder, in_all_ways
from millrace_server import free_port, under_both
from wire import Wire, blob


GOMEMCACHE = '/usr/share/gocode/src/github.com/bradfitz/gomemcache/memcache'


@in_all_ways
class OtherLanguages(ClientCase):
    def test_php_memcached(self):
        self.script_says_done('php', 'memcached.php', *self.host_and_port(self.server))

    def test_php_memcache(self):
        self.script_says_done('php', 'memcache.php', *self.host_and_port(self.server, 'unix://'), 'text')

    def test_perl_cache_memcached(self):
        self.script_says_done('perl', 'memcached.pl', self.address)

    def test_perl_cache_memcached_fast(self):
        self.script_says_done('perl', 'memcached_fast.pl', self.address)

    def test_npm_memcached(self):
        if self.uses_unix_socket:
            self.address += ':11211'   # it adds that to a path
            os.symlink(self.server.unix_path, self.address)
        self.node_says_done('memcached_npm.js', self.address)

    def test_gomemcache(self):
        if not os.path.exists(GOMEMCACHE):
            self.skipTest('golang-github-bradfitz-gomemcache-dev is not installed')
        program = os.path.join(build_folder(), 'gomemcache')
        if not os.path.exists(program):
            package = 'github.com/bradfitz/gomemcache/memcache'
            compiled = os.path.join(build_folder(), package + '.o')
            os.makedirs(os.path.dirname(compiled))
            self.run_tool('gccgo-12', '-c', '-fgo-pkgpath=' + package, '-o', compiled,
                          *(os.path.join(GOMEMCACHE, name) for name in ('memcache.go', 'selector.go')))
            self.run_tool('gccgo-12', '-I', build_folder(), '-o', program, os.path.join(SCRIPTS, 'gomemcache.go'), compiled)
        said = self.run_tool(program, self.address)
        self.assertTrue(said.rstrip().endswith('all done'), said)


@under_both
class AprMemcache(ClientCase):
    def test_apr_memcache(self):
        try:
            c = apr_memcache.Client('127.0.0.1', self.server.port)
        except OSError as e:
            self.skipTest('libaprutil1 is not installed: %s' % e)
        self.assertTrue(c.set(b'a', b'text', 100, 7))
        self.assertEqual(c.get(b'a'), (b'text', 7))
        self.assertIsNone(c.get(b'none'))
        self.assertFalse(c.add(b'a', b'x'))
        self.assertTrue(c.add(b'n', b'10'))
        self.assertTrue(c.replace(b'n', b'20'))
        self.assertFalse(c.replace(b'none', b'x'))
        self.assertEqual(c.incr(b'n', 5), 25)
        self.assertEqual(c.decr(b'n', 100), 0)
        self.assertTrue(c.delete(b'n'))
        self.assertFalse(c.delete(b'n'))
        for size in (0, 1, 1023, 65536, 524288, NEARLY_TOO_LARGE):
            value = blob(size, self.prng)
            self.assertTrue(c.set(b'size', value))
            self.assertEqual(c.get(b'size'), (value, 0))
        self.assertRegex(c.version(), rb'^[1-9]\d*\.\d+\.\d+$')
        c.close()


@in_all_ways
class LibmemcachedTools(ClientCase):
    def tool(self, name, *words, status=0):
        return self.run_tool(name, '--servers=' + self.address, *words, status=status)

    def test_memcping_and_memcstat(self):
        self.tool('memcping')
        said = self.tool('memcstat')
        self.assertRegex(said, r'\n\t ?curr_connections: \d')
        self.assertRegex(said, r'version: [1-9]\d*\.\d+\.\d+\s')
        self.assertIn('pid: %d' % self.server.pid, said)

    def test_memccp_memccat_memcexist_memctouch_memcrm(self):
        with tempfile.TemporaryDirectory() as folder:
            contents = {'first': b'one\r\ntwo\0three', 'second': b'2' * 100000}
            for name, data in contents.items():
                with open(os.path.join(folder, name), 'wb') as f:
                    f.write(data)
            self.tool('memccp', *[os.path.join(folder, name) for name in contents])
            for name, data in contents.items():
                out = os.path.join(folder, 'out')
                self.tool('memccat', '--file=' + out, name)
                with open(out, 'rb') as f:
                    self.assertEqual(f.read(), data)
        # memcexist adds a value that is 31 days of "seconds from now": a date in 1970, so that nothing stays behind.
        self.tool('memcexist', 'first')
        self.tool('memcexist', 'missing', status=1)
        self.tool('memcexist', 'missing', status=1)
        self.tool('memctouch', '--expire=100', 'first')
        self.tool('memctouch', '--expire=100', 'missing', status=1)
        self.tool('memcrm', 'first')
        self.tool('memcexist', 'first', status=1)
        self.tool('memcexist', 'second')
        self.tool('memcflush')
        self.tool('memcexist', 'second', status=1)

    def test_memcdump_lists_what_is_there(self):
        names = {'dump:%d' % i for i in range(50)}
        with self.server.connect() as c:
            for name in names:
                self.assertEqual(c.store(name.encode(), b'x' * (1 + len(name) % 7)), b'STORED')
        listed = set()
        until = time.monotonic() + 10   # memcached's own dump may lag behind its background threads
        while listed != names and time.monotonic() < until:
            listed = {line.strip() for line in self.tool('memcdump').split('\n') if line.startswith('dump:')}
        self.assertEqual(listed, names)

    def test_memcslap_or_memcaslap(self):
        if shutil.which('memcslap'):
            self.tool('memcslap', '--concurrency=4', '--execute-number=500')
        else:
            said = self.run_tool('memcaslap', '-s', self.address, '-T', '1', '-c', '8', '-x', '4000', '-v', '0.2', status=None)
            self.assertIn('get_misses: 0', said)
            self.assertRegex(said, r'cmd_set: [1-9]')


@in_all_ways
class Nutcracker(ClientCase):
    wants_server = False

    def setUp(self):
        if not shutil.which('nutcracker'):
            self.skipTest('nutcracker is not installed')
        self.servers = [self.start('-m', '128', unix_path=self.socket_path(name)) for name in ('first', 'second')]
        path = os.path.join(self.folder.name, 'nutcracker.yml')
        proxy_path, port = self.socket_path('proxy'), free_port()
        self.proxy_at = {'unix_path': proxy_path} if proxy_path else {'port': port}
        with open(path, 'w') as f:
            f.write('pool:\n  listen: %s\n  hash: md5\n  distribution: ketama\n  timeout: 20000\n'
                    '  servers:\n%s' %
                    (proxy_path or '127.0.0.1:%d' % port, ''.join('   - %s:1\n' % self.address_of(s) for s in self.servers)))
        self.proxy = subprocess.Popen(['nutcracker', '-c', path, '-v', '0', '-a', '127.0.0.1', '-s', str(free_port()),
                                       '-o', os.path.join(self.folder.name, 'log')], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.proxy.wait)
        self.addCleanup(self.proxy.kill)

        def answers():
            try:
                Wire(**self.proxy_at).close()
            except OSError:
                return False
            return True
        self.wait_until(answers, 'nutcracker did not start', seconds=60)

    def test_through_the_proxy(self):
        values = {b'key:%d' % i: blob(self.prng.randrange(2000), self.prng) for i in range(3000)}
        with Wire(**self.proxy_at, timeout=30 * millrace_server.binary.patience) as c:
            c.send(b''.join(b'set %s 3 0 %d\r\n%s\r\n' % (k, len(v), v) for k, v in values.items()))
            for _ in values:
                self.assertEqual(c.line(), b'STORED')
            # One request becomes one for each server, with a space before its end, and the answers become one again.
            found = c.fetch(*values)
            self.assertEqual({k: v for k, (_, v, _) in found.items()}, values)
            self.assertEqual(c.store(b'n', b'5'), b'STORED')
            self.assertEqual(c.ask(b'incr n 10\r\n'), b'15')
            self.assertEqual(c.ask(b'decr n 100\r\n'), b'0')
            self.assertEqual(c.store(b'n', b'7', verb=b'append'), b'STORED')
            self.assertEqual(c.store(b'n', b'1', verb=b'prepend'), b'STORED')
            _, value, cas = c.fetch(b'n', verb=b'gets')[b'n']
            self.assertEqual(value.replace(b' ', b''), b'107')
            self.assertEqual(c.ask(b'cas n 0 0 1 %d\r\nc\r\n' % cas), b'STORED')
            self.assertEqual(c.ask(b'cas n 0 0 1 %d\r\nd\r\n' % cas), b'EXISTS')
            self.assertEqual(c.store(b'n', b'x', verb=b'add'), b'NOT_STORED')
            self.assertEqual(c.store(b'm', b'x', verb=b'replace'), b'NOT_STORED')
            self.assertEqual(c.ask(b'touch n 100\r\n'), b'TOUCHED')
            self.assertEqual(c.ask(b'delete n\r\n'), b'DELETED')
            self.assertEqual(c.ask(b'delete n\r\n'), b'NOT_FOUND')
            big = blob(NEARLY_TOO_LARGE, self.prng)
            self.assertEqual(c.store(b'big', big), b'STORED')
            self.assertEqual(c.value(b'big'), big)
        shares = []
        for server in self.servers:
            with server.connect() as c:
                shares.append(set(c.fetch(*values)))
        self.assertEqual(shares[0] & shares[1], set())
        self.assertEqual(shares[0] | shares[1], set(values))
        self.assertTrue(shares[0] and shares[1])
        self.proxy.kill()
        self.proxy.wait()
        for server in self.servers:
            server.assert_nothing_held()
            server.stop()


if __name__ == '__main__':
    millrace_server.run()
