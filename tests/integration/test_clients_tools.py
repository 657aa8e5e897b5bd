#!/usr/bin/python3
"""Clients that are programs or other languages: php-memcached, Perl's Cache::Memcached::Fast, the libmemcached tools, and
nutcracker (twemproxy) in front of two servers. Unmodified, text protocol, TCP and unix socket.
"""
import os
import shutil
import subprocess
import tempfile
import time

import millrace_server
from millrace_server import ServerCase, free_port, under_both
from wire import Wire, blob

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients')


class ToolCase(ServerCase):
    server_arguments = ['-m', '256']

    def run_tool(self, *argv, status=0, given=None):
        if not shutil.which(argv[0]):
            self.skipTest('%s is not installed' % argv[0])
        answer = subprocess.run(argv, input=given or b'', stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=60 * millrace_server.binary.patience)
        if status is not None:
            self.assertEqual(answer.returncode, status, '%s\n%s' % (' '.join(argv), answer.stdout.decode(errors='replace')))
        return answer.stdout

    def setUp(self):
        with self.server.connect() as c:
            self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')
        self.address = '127.0.0.1:%d' % self.server.port

    def script_says_done(self, *argv):
        said = self.run_tool(*argv, status=None)
        if b'cannot load' in said:
            self.skipTest(said.decode(errors='replace').strip())
        self.assertTrue(said.rstrip().endswith(b'all done'), said.decode(errors='replace'))


@under_both
class OtherLanguages(ToolCase):
    def test_php_memcached(self):
        self.script_says_done('php', os.path.join(SCRIPTS, 'memcached.php'), '127.0.0.1', str(self.server.port))

    def test_perl_cache_memcached_fast(self):
        self.script_says_done('perl', os.path.join(SCRIPTS, 'memcached_fast.pl'), self.address)

    def test_both_over_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'millrace.sock')
            server = self.start('-m', '256', unix_path=path)
            self.script_says_done('php', os.path.join(SCRIPTS, 'memcached.php'), path, '0')
            self.script_says_done('perl', os.path.join(SCRIPTS, 'memcached_fast.pl'), path)
            server.assert_nothing_held()
            server.stop()


@under_both
class LibmemcachedTools(ToolCase):
    def tool(self, name, *words, status=0):
        return self.run_tool(name, '--servers=' + self.address, *words, status=status)

    def test_memcping_and_memcstat(self):
        self.tool('memcping')
        said = self.tool('memcstat').decode()
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
        names = {b'dump:%d' % i for i in range(50)}
        with self.server.connect() as c:
            for name in names:
                self.assertEqual(c.store(name, b'x' * (1 + len(names) % 7)), b'STORED')
        listed = set()
        until = time.monotonic() + 10   # memcached's own dump may lag behind its background threads
        while listed != names and time.monotonic() < until:
            listed = {line.strip() for line in self.tool('memcdump').split(b'\n') if line.startswith(b'dump:')}
        self.assertEqual(listed, names)

    def test_memcslap_or_memcaslap(self):
        if shutil.which('memcslap'):
            self.tool('memcslap', '--concurrency=4', '--execute-number=500')
        else:
            said = self.run_tool('memcaslap', '-s', self.address, '-T', '1', '-c', '8', '-x', '4000', '-v', '0.2', status=None)
            self.assertIn(b'get_misses: 0', said, said.decode(errors='replace'))
            self.assertRegex(said, rb'cmd_set: [1-9]')


@under_both
class Nutcracker(ToolCase):
    wants_server = False

    def setUp(self):
        if not shutil.which('nutcracker'):
            self.skipTest('nutcracker is not installed')
        self.servers = [self.start('-m', '128'), self.start('-m', '128')]
        self.port, statistics = free_port(), free_port()
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'nutcracker.yml')
        with open(path, 'w') as f:
            f.write('pool:\n  listen: 127.0.0.1:%d\n  hash: md5\n  distribution: ketama\n  timeout: 20000\n'
                    '  servers:\n%s' % (self.port, ''.join('   - 127.0.0.1:%d:1\n' % s.port for s in self.servers)))
        self.proxy = subprocess.Popen(['nutcracker', '-c', path, '-v', '0', '-a', '127.0.0.1', '-s', str(statistics),
                                       '-o', os.path.join(folder, 'log')], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.proxy.wait)
        self.addCleanup(self.proxy.kill)
        for _ in range(200):
            try:
                Wire(port=self.port).close()
                return
            except OSError:
                time.sleep(0.02)
        self.fail('nutcracker did not start')

    def test_through_the_proxy(self):
        values = {b'key:%d' % i: blob(self.prng.randrange(2000), self.prng) for i in range(400)}
        with Wire(port=self.port, timeout=30 * millrace_server.binary.patience) as c:
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
            big = blob(1024 * 1024 - 512, self.prng)
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


del ToolCase

if __name__ == '__main__':
    millrace_server.run()
