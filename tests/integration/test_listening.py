#!/usr/bin/python3
"""Where a server listens, whom it lets in, and how long they may be silent; the background."""
import os
import re
import signal
import socket
import stat
import subprocess
import time

import millrace_server
from millrace_server import free_port, under_both
from start_case import StartCase, listening_addresses

TOO_MANY = b'ERROR Too many open connections'


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


@under_both
class Addresses(StartCase):
    def test_several_of_both_families(self):
        second, third = free_port(), free_port()
        v6 = ['-l', '[::1]:%d' % third] if has_ipv6() else []
        server = self.start('-p', self.port, '-l', '127.0.0.1,127.0.0.2:%d' % second, *v6, port=self.port, listens=False)
        places = [self.wire(), self.wire('127.0.0.2', second)] + ([self.wire('::1', third)] if v6 else [])
        for i, c in enumerate(places):
            self.assertEqual(c.store(b'from:%d' % i, b'%d' % i), b'STORED')
        for c in places:
            self.assertEqual({k: v for k, (_, v, _) in c.fetch(*[b'from:%d' % i for i in range(len(places))]).items()},
                             {b'from:%d' % i: b'%d' % i for i in range(len(places))})
        listeners = {v for k, v in places[0].stats(b'conns').items() if k.endswith('listen_addr')}
        wanted = {'tcp:127.0.0.1:%d' % self.port, 'tcp:127.0.0.2:%d' % second} | ({'tcp6:[::1]:%d' % third} if v6 else set())
        self.assertEqual(listeners, wanted)
        for c in places:
            c.close()
        server.assert_nothing_held()
        server.stop()

    def test_loopback_alone_unless_told_otherwise(self):
        server = self.start('-p', self.port, port=self.port, listens=False)
        self.assertEqual(self.wire().store(b'a', b'x'), b'STORED')
        wanted = {'0100007F'}
        if has_ipv6():
            self.assertEqual(self.wire('::1').value(b'a'), b'x')
            wanted.add('00000000000000000000000001000000')
        self.assertEqual(listening_addresses(self.port), wanted)
        server.stop()

    def test_any_free_port(self):
        server = self.start('-p', '-1', '-l', '127.0.0.1', listens=False, waits=False)
        said = re.compile(r'listening on 127\.0\.0\.1:(\d+)')
        self.wait_until(lambda: said.search(server.output()), 'it does not say where it listens', 20)
        port = said.search(server.output()).group(1)
        self.assertEqual(self.wire(port=int(port)).stats(b'settings')['tcpport'], port)
        server.stop()

    def test_a_unix_socket_and_its_mode(self):
        for mask, mode in ('0770', 0o770), ('700', 0o700):
            path = os.path.join(self.folder, 'socket' + mask)
            server = self.start('-a', mask, unix_path=path)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)
            with server.connect() as c:
                self.assertEqual(c.store(b'a', b'x'), b'STORED')
                self.assertEqual({v for k, v in c.stats(b'conns').items() if k.endswith('listen_addr')}, {'unix:' + path})
                self.assertEqual(c.stats(b'settings')['domain_socket'], path)
            server.assert_nothing_held()
            server.stop()

    def test_connections_over_the_limit_are_told_so_and_closed(self):
        server = self.start('-c', 5)
        kept = [server.connect()]
        self.wait_until(lambda: kept[0].stats()['curr_connections'] == '1', 'who saw it start was not forgotten')
        kept += [server.connect() for _ in range(4)]
        for c in kept:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
        for _ in range(3):
            with server.connect() as c:
                self.assertEqual(c.line(), TOO_MANY)
                self.assertEqual(c.until_closed(), b'')
        stats = kept[0].stats()
        self.assertEqual((stats['max_connections'], stats['curr_connections'], stats['rejected_connections']), ('5', '5', '3'))
        kept.pop().close()
        self.wait_until(lambda: self.is_let_in(server), 'the place of a closed connection was not given to another')
        for c in kept:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
            c.close()
        server.assert_nothing_held()
        server.stop()

    def is_let_in(self, server):
        with server.connect() as c:
            c.send(b'mn\r\n')
            answer = c.line()
            self.assertIn(answer, (b'MN', TOO_MANY))
            return answer == b'MN'

    def test_silent_connections_are_closed_after_the_idle_timeout(self):
        server = self.start('-o', 'idle_timeout=1')
        busy, silent, halfway = server.connect(), server.connect(), server.connect()
        halfway.send(b'set a 0 0 100\r\nhalf')
        self.wait_until(lambda: busy.ask(b'mn\r\n') == b'MN' and not silent.is_quiet(0.1) and not halfway.is_quiet(0.1),
                        'silent connections were not closed', 20)
        for c in silent, halfway:
            self.assertEqual(c.until_closed(), b'')
        self.assertEqual(busy.stats()['idle_kicks'], '2')
        for c in busy, silent, halfway:
            c.close()
        server.assert_nothing_held()
        server.stop()

    def test_a_port_in_use(self):
        server = self.start('-m', '64')
        self.assertRegex(self.refusal('-p', server.port, '-l', '127.0.0.1', *self.worker_arguments),
                         r'cannot listen on 127\.0\.0\.1:%d: another process does already' % server.port)
        with server.connect() as c:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
        server.stop()

    def test_a_unix_path_in_use(self):
        path = os.path.join(self.folder, 'socket')
        server = self.start(unix_path=path)
        self.assertRegex(self.refusal('-s', path, *self.worker_arguments), 'another process does already')
        with server.connect() as c:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN')
        server.stop()
        plain = os.path.join(self.folder, 'file')
        with open(plain, 'w') as f:
            f.write('precious')
        self.assertRegex(self.refusal('-s', plain, *self.worker_arguments), 'is no socket')
        with open(plain) as f:
            self.assertEqual(f.read(), 'precious')

    def test_the_background(self):
        pid_path = os.path.join(self.folder, 'pid')
        argv = ['-d', '-P', pid_path, '-p', str(self.port), '-l', '127.0.0.1', *self.worker_arguments]
        user = ['-u', 'root'] if os.geteuid() == 0 else []
        started = subprocess.run([millrace_server.binary.path, *user, *argv], stdin=subprocess.DEVNULL, capture_output=True,
                                 timeout=30 * millrace_server.binary.patience)
        self.assertEqual(started.returncode, 0, started.stderr.decode())
        with open(pid_path) as f:
            pid = int(f.read())
        try:
            # It serves already, and has let go of our streams: run() above would have waited for their end.
            c = self.wire()
            self.assertEqual(int(c.stats()['pid']), pid)
            self.assertEqual(os.getsid(pid), pid)
            self.assertEqual(os.readlink('/proc/%d/cwd' % pid), '/')
            # A second one finds the port in use, and its starter says so.
            self.assertIn('another process does already', self.refusal('-d', '-p', self.port, '-l', '127.0.0.1'))
        finally:
            os.kill(pid, signal.SIGTERM)
        self.wait_until(lambda: not self.runs(pid), 'it still runs after SIGTERM')
        self.assertFalse(os.path.exists(pid_path))

    def runs(self, pid):
        try:
            with open('/proc/%d/stat' % pid) as f:
                return f.read().rpartition(')')[2].split()[0] != 'Z'
        except (FileNotFoundError, ProcessLookupError):
            return False


del StartCase

if __name__ == '__main__':
    millrace_server.run()
