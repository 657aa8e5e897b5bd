#!/usr/bin/python3
"""Who may come in: the login of -Y over text and SASL over binary, what can be reached before, and what a new file of users
does to a server that runs. The answers are those of memcached, whose -Y is held to the same where it can be.
"""
import os
import signal
import subprocess
import tempfile
import threading
import time

import millrace_server
from binary_wire import *
from millrace_server import ServerCase, free_port, under_both
from start_case import StartCase
from wire import Closed, Wire


class AuthCase(ServerCase):
    wants_server = False
    option = '-Y'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        self.path = os.path.join(folder.name, 'users')
        self.opened = []
        self.write('alice:secret\nbob:pa:ss\n')

    def write(self, text):
        with open(self.path + '.new', 'w') as f:
            f.write(text)
        os.rename(self.path + '.new', self.path)

    def wire(self, server, kind=Wire):
        where = {'unix_path': server.unix_path} if server.unix_path else {'port': server.port}
        c = kind(**where, timeout=30 * millrace_server.binary.patience)
        self.addCleanup(c.close)
        self.opened.append(c)
        return c

    def reload(self, server, until, otherwise):
        server.process.send_signal(signal.SIGHUP)
        self.wait_until(until, otherwise)

    def end(self, server, connection):
        """Nothing is held, asked by one who may ask, and the server ends as it should."""
        for c in self.opened:
            if c is not connection:
                c.close()
        self.wait_until(lambda: not server.held(connection), 'the server holds something')
        connection.close()
        server.stop()


def login(user, password, verb=b'set', tail=b''):
    token = b'%s %s' % (user, password)
    return b'%s x 0 0 %d%s\r\n%s\r\n' % (verb, len(token), tail, token)


UNAUTHENTICATED = b'CLIENT_ERROR unauthenticated'


@under_both
class TextLogin(AuthCase):
    def setUp(self):
        super().setUp()
        self.server_ = self.start('-Y', self.path, '-m', '64')

    def let_in(self, user=b'alice', password=b'secret'):
        c = self.wire(self.server_)
        self.assertEqual(c.ask(login(user, password)), b'STORED')
        return c

    def test_nothing_but_the_login_is_answered(self):
        c = self.wire(self.server_)
        for line in (b'version', b'quit', b'get a', b'', b'stats', b'mn', b'mg a v', b'flush_all', b'shutdown',
                     b'add x 0 0 12', b'set x 0 0', b'set x 0 0 x', b'SET x 0 0 12'):
            self.assertEqual(c.ask(line + b'\r\n'), UNAUTHENTICATED, line)
        self.assertEqual(c.ask(login(b'alice', b'wrong')), b'CLIENT_ERROR authentication failure')
        self.assertEqual(c.ask(login(b'carol', b'secret')), b'CLIENT_ERROR authentication failure')
        self.assertEqual(c.ask(b'get a\r\n'), UNAUTHENTICATED, 'a failed login lets nobody in')
        self.assertEqual(c.ask(b'set x 0 0 5\r\nalice\r\n'), b'CLIENT_ERROR bad authentication token format')
        self.assertEqual(c.ask(b'set x 0 0 12\r\nalice secretXX'), b'CLIENT_ERROR bad command line termination')
        self.assertEqual(c.ask(login(b'alice', b'secret')), b'STORED')
        self.assertIsNone(c.value(b'x'), 'a login stores nothing')
        self.assertEqual(c.store(b'x', b'alice wrong'), b'STORED')
        self.assertEqual(c.value(b'x'), b'alice wrong', 'afterwards a set is a set')
        self.assertEqual(self.let_in(b'bob', b'pa:ss').ask(b'mn\r\n'), b'MN')
        stats = c.stats()
        self.assertEqual((stats['auth_cmds'], stats['auth_errors']), ('4', '2'))
        self.assertEqual(c.stats(b'settings')['auth_enabled_ascii'], self.path)
        self.end(self.server_, c)

    def test_a_storm_of_reloads_while_logins_run(self):
        """Two good files, a bad one and none, a SIGHUP for each: who is in all of them comes in at any moment, who is in none
        never does, and the last file is what holds."""
        self.skip_for_stand_in('1.6.18 reads the file while others compare')
        rounds = 60 if not millrace_server.binary.is_sanitized else 15
        refused, mayhap = b'CLIENT_ERROR authentication failure', (b'STORED', b'CLIENT_ERROR authentication failure')
        wrong, is_over = [], threading.Event()

        def log_in():
            try:
                while not is_over.is_set():
                    with self.server_.connect() as c:
                        answers = [c.ask(login(*who)) for who in ((b'alice', b'wrong'), (b'mallory', b'secret'))]
                        answers.append(c.ask(login(b'alice', b'secret')))
                        if answers != [refused, refused, b'STORED'] and not is_over.is_set():
                            wrong.append(answers)
                    with self.server_.connect() as c:
                        if c.ask(login(b'eve', b'once')) not in mayhap:
                            wrong.append('eve')
            except (OSError, Closed) as error:
                wrong.append(repr(error))

        threads = [threading.Thread(target=log_in) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(rounds):
            text = ['alice:secret\neve:once\n', 'zoe:else\nalice:secret\n', 'no colon\n', None][i % 4]
            if text is None:
                os.unlink(self.path)
            else:
                self.write(text)
            self.server_.process.send_signal(signal.SIGHUP)
        is_over.set()
        self.write('alice:last\n')
        self.reload(self.server_, lambda: self.wire(self.server_).ask(login(b'alice', b'last')) == b'STORED',
                    'the last file is not in force')
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(self.wire(self.server_).ask(login(b'alice', b'secret')), refused)
        self.end(self.server_, self.let_in(b'alice', b'last'))

    def test_commands_behind_the_login_are_obeyed(self):
        self.skip_for_stand_in('1.6.18 answers one line of several')
        c = self.wire(self.server_)
        c.send(b'get early\r\n' + login(b'alice', b'wrong') + login(b'alice', b'secret', tail=b' noreply') +
               b'set a 0 0 1\r\nx\r\nget a\r\n')
        self.assertEqual([c.line() for _ in range(7)],
                         [UNAUTHENTICATED, b'CLIENT_ERROR authentication failure', b'STORED', b'STORED', b'VALUE a 0 1',
                          b'x', b'END'])

    def test_cut_at_every_byte(self):
        self.skip_for_stand_in('1.6.18 answers one line of several')
        sent = b'get a\r\n' + login(b'alice', b'secret') + b'mn\r\n'
        for at in range(1, len(sent), 3 if not millrace_server.binary.is_sanitized else 9):
            c = self.wire(self.server_)
            c.send(sent[:at])
            time.sleep(0.002)
            c.send(sent[at:])
            self.assertEqual([c.line() for _ in range(3)], [UNAUTHENTICATED, b'STORED', b'MN'], at)
            c.close()

    def test_memcached_1_6_43_empty_lines_before_the_login(self):
        self.skip_for_stand_in('1.6.18 answers one line of several')
        c = self.wire(self.server_)
        lines = [b'\n', b'\r\n', b' \n', b' ' * 1000 + b'\r\n', b'\r\r\n', b'\0\n', b'set\n', b'set     \r\n'] * 20
        c.send(b''.join(lines) + login(b'alice', b'secret'))
        self.assertEqual([c.line() for _ in range(len(lines) + 1)], [UNAUTHENTICATED] * len(lines) + [b'STORED'])

    def test_strangers_take_no_memory(self):
        self.skip_for_stand_in('its own bounds')
        with self.let_in() as c:
            before = self.server_.rss_bytes()
            strangers = [self.wire(self.server_) for _ in range(200)]
            for stranger in strangers:
                stranger.send(b'set x 0 0 1000000000\r\n' + b'x' * 10000)      # too long a token, passed over
                self.assertEqual(stranger.line(), b'CLIENT_ERROR auth token too long')
            for stranger in strangers[:50]:
                stranger.send(b'x' * 100000)
            silent = self.wire(self.server_, )
            silent.send(b'x' * 5000)                                           # no line end
            self.assertEqual(silent.until_closed(), b'')
            binary = self.wire(self.server_)
            binary.send(packet(NOOP))
            self.assertEqual(binary.until_closed(), b'')
            self.assertLess(self.server_.rss_bytes() - before, 16 << 20)
            self.assertEqual(c.stats()['auth_cmds'], '1')

    def test_redis_cve_2025_21605_answers_to_a_stranger_who_does_not_read_are_bounded(self):
        self.skip_for_stand_in('its own bounds')
        stranger = self.wire(self.server_)
        before = self.server_.rss_bytes()
        stranger.socket.settimeout(1)
        try:
            for _ in range(200):
                stranger.send(b'a\r\n' * 50000)    # ten times as long an answer to each, of which nothing is read
        except TimeoutError:
            pass
        self.assertLess(self.server_.rss_bytes() - before, 16 << 20)
        with self.let_in() as c:
            self.assertEqual(c.ask(b'mn\r\n'), b'MN', 'others are served')

    def test_a_new_file_is_read_on_sighup_and_a_bad_one_is_not(self):
        self.skip_for_stand_in('1.6.18 reads it later than it says')
        inside = self.let_in()
        self.write('alice:new\n')
        c = self.wire(self.server_)
        self.assertEqual(c.ask(login(b'alice', b'new')), b'CLIENT_ERROR authentication failure')
        self.reload(self.server_, lambda: c.ask(login(b'alice', b'new')) == b'STORED' or None, 'the new file is not in force')
        self.assertEqual(inside.ask(b'mn\r\n'), b'MN', 'who is in stays in')
        c = self.wire(self.server_)
        self.assertEqual(c.ask(login(b'alice', b'secret')), b'CLIENT_ERROR authentication failure')
        self.assertEqual(c.ask(login(b'bob', b'pa:ss')), b'CLIENT_ERROR authentication failure')
        for bad, why in (('nonsense\n', 'line 1'), ('', 'empty')):
            self.write(bad)
            self.reload(self.server_, lambda: why in self.server_.output(), 'it says nothing of the bad file')
            self.assertEqual(self.let_in(b'alice', b'new').ask(b'mn\r\n'), b'MN', 'the old file stays')
        os.remove(self.path)
        self.reload(self.server_, lambda: 'cannot read' in self.server_.output(), 'it says nothing of the missing file')
        self.assertNotIn('secret', self.server_.output())
        c = self.let_in(b'alice', b'new')
        inside.close()
        self.end(self.server_, c)


@under_both
class Sasl(AuthCase):
    def setUp(self):
        super().setUp()
        self.skip_for_stand_in('Debian builds it for other files of users')
        self.server_ = self.start('-S', '--sasl-pwdb', self.path, '-m', '64', waits=False)
        self.wait_until(self.answers, 'it does not answer')

    def answers(self):
        try:
            with BinaryWire(port=self.server_.port, timeout=5) as c:
                return c.ask(packet(VERSION)).status == OK
        except (OSError, Closed):
            self.assertTrue(self.server_.is_alive(), self.server_.output())
            return False

    def plain(self, user, password, acts_for=b'', opcode=SASL_AUTH, mechanism=b'PLAIN'):
        return packet(opcode, mechanism, b'', acts_for + b'\0' + user + b'\0' + password)

    def let_in(self, user=b'alice', password=b'secret'):
        c = self.wire(self.server_, BinaryWire)
        reply = c.ask(self.plain(user, password))
        self.assertEqual((reply.status, reply.value), (OK, b'Authenticated'))
        return c

    def refused(self, c, request):
        reply = c.ask(request)
        self.assertEqual((reply.status, reply.value), (AUTH_ERROR, b'Auth failure.'))

    def test_the_handshake(self):
        c = self.wire(self.server_, BinaryWire)
        self.assertEqual(c.ask(packet(SASL_LIST)).value, b'PLAIN')
        self.assertEqual(c.ask(packet(VERSION)).status, OK)
        for request in (self.plain(b'alice', b'wrong'), self.plain(b'carol', b'secret'), self.plain(b'', b''),
                        self.plain(b'alice', b'secret', acts_for=b'bob'), self.plain(b'alice', b'secret', mechanism=b'CRAM-MD5'),
                        packet(SASL_AUTH, b'PLAIN', b'', b'alice secret'), packet(SASL_STEP, b'PLAIN')):
            self.refused(c, request)
        reply = c.ask(self.plain(b'alice', b'secret', acts_for=b'alice'))
        self.assertEqual((reply.status, reply.value), (OK, b'Authenticated'))
        for i in range(20):
            self.assertEqual(c.ask(storing(SET, b'k%d' % i, b'v')).status, OK)
            self.assertEqual(c.ask(packet(GET, b'k%d' % i)).value, b'v')
        stats = c.statistics()
        self.assertEqual((stats[b'auth_cmds'], stats[b'auth_errors']), (b'8', b'7'))
        self.assertEqual(c.statistics(b'settings')[b'auth_enabled_sasl'], b'yes')

    def test_the_message_may_come_in_a_step(self):
        c = self.wire(self.server_, BinaryWire)
        self.assertEqual(c.ask(packet(SASL_AUTH, b'PLAIN')).status, AUTH_CONTINUE)
        self.assertEqual(c.ask(self.plain(b'alice', b'secret', opcode=SASL_STEP)).status, OK)
        self.assertEqual(c.ask(packet(NOOP)).status, OK)

    def test_nothing_else_is_reached(self):
        for request in (packet(GET, b'a'), storing(SET, b'a', b'x' * 5000), packet(NOOP), packet(STAT), packet(FLUSH), packet(QUIT),
                        packet(0xff), packet(GET, b'k' * 251)):
            c = self.wire(self.server_, BinaryWire)
            c.send(request)
            try:
                replies = c.last_replies()
            except Closed as closed:
                replies = split_replies(closed.got)
            self.assertEqual([(r.status, r.value) for r in replies], [(AUTH_ERROR, b'Auth failure.')])
        text = self.wire(self.server_)
        text.send(b'version\r\n')
        self.assertEqual(text.until_closed(), b'')
        with self.let_in() as c:
            self.assertEqual(c.ask(packet(GET, b'a')).status, NOT_FOUND)

    def test_cve_2013_7239_a_failed_login_takes_back_what_was_there(self):
        c = self.let_in()
        self.assertEqual(c.ask(packet(NOOP)).status, OK)
        self.refused(c, self.plain(b'alice', b'wrong'))
        c.send(packet(GET, b'a'))
        self.assertEqual([r.status for r in c.last_replies()], [AUTH_ERROR])

    def test_cve_2016_8706_lengths_of_sasl_messages(self):
        for body in (0xffffffff, 0x80000000, 5 + 1025):
            c = self.wire(self.server_, BinaryWire)
            c.send(packet(SASL_AUTH, b'PLAIN', b'', b'x' * 100, body=body))
            self.assertEqual([r.status for r in c.last_replies()], [INVALID])
        c = self.wire(self.server_, BinaryWire)
        c.send(packet(SASL_AUTH, b'M' * 33, b'', b'x'))
        self.assertEqual([r.status for r in c.last_replies()], [INVALID])

    def test_cut_at_every_byte(self):
        sent = packet(VERSION) + self.plain(b'alice', b'secret') + packet(NOOP)
        for at in range(1, len(sent), 3 if not millrace_server.binary.is_sanitized else 9):
            c = self.wire(self.server_, BinaryWire)
            c.send(sent[:at])
            time.sleep(0.002)
            c.send(sent[at:])
            self.assertEqual([c.reply().status for _ in range(3)], [OK] * 3, at)
            c.close()

    def test_a_new_file_is_read_on_sighup(self):
        inside = self.let_in()
        self.write('carol:word\n')

        def is_in():
            return self.wire(self.server_, BinaryWire).ask(self.plain(b'carol', b'word')).status == OK
        self.assertFalse(is_in())
        self.reload(self.server_, is_in, 'the new file is not in force')
        self.refused(self.wire(self.server_, BinaryWire), self.plain(b'alice', b'secret'))
        self.assertEqual(inside.ask(packet(NOOP)).status, OK)


class Starting(StartCase):
    def users(self, text):
        path = os.path.join(self.folder, 'users')
        with open(path, 'w') as f:
            f.write(text)
        return path

    def test_cve_2021_37519_a_bad_file_of_users_is_no_start(self):
        for text, why in (('nobody\n', "line 1 is not 'user:password'"), ('a:b\n\n', 'line 2'), ('', 'it is empty'),
                          (':x\n', 'name is empty'), ('a:b\n' * 9, 'more than 8 users'), ('x' * 5000, 'more than 4096 bytes')):
            path = self.users(text)
            for options in (('-Y', path), ('-S', '--sasl-pwdb', path)):
                said = self.refusal(*options, '-p', self.port)
                self.assertIn(why, said)
                self.assertIn(path, said)
        self.assertIn('No such file', self.refusal('-Y', '/nonexistent', '-p', self.port))

    def test_a_daemon_reads_the_file_again_from_where_it_was(self):
        self.users('a:b\n')
        pid_file = os.path.join(self.folder, 'pid')
        said = subprocess.run([millrace_server.binary.path, '-d', '-Y', 'users', '-P', pid_file, '-p', str(self.port), '-m', '64',
                               '-t', '1', '-l', '127.0.0.1', *(['-u', 'root'] if os.geteuid() == 0 else [])],
                              cwd=self.folder, capture_output=True, timeout=30 * millrace_server.binary.patience)
        self.assertEqual(said.returncode, 0, said.stderr)
        with open(pid_file) as f:
            pid = int(f.read())
        try:
            self.assertEqual(self.wire().ask(login(b'a', b'b')), b'STORED')
            self.users('a:new\n')
            os.kill(pid, signal.SIGHUP)
            self.wait_until(lambda: self.wire().ask(login(b'a', b'new')) == b'STORED', 'the new file is not in force')
        finally:
            os.kill(pid, signal.SIGTERM)
            self.wait_until(lambda: not self.is_running(pid), 'the daemon stays')

    def is_running(self, pid):
        try:
            with open('/proc/%d/stat' % pid) as f:
                return f.read().rpartition(')')[2].split()[0] != 'Z'   # nobody may be there to ask for its status
        except FileNotFoundError:
            return False

    def test_what_would_go_around_it_is_refused(self):
        path = self.users('a:b\n')
        for options, why in ((('-Y', path, '-U', 11211), 'UDP'), (('-Y', path, '-B', 'auto'), '-B ascii'),
                             (('-S', '--sasl-pwdb', path, '-U', 11211), 'UDP'), (('-S', '--sasl-pwdb', path, '-B', 'ascii'), '-B binary'),
                             (('-S', '--sasl-pwdb', path, '-Y', path), 'leave one out'), (('-S',), '--sasl-pwdb')):
            self.assertIn(why, self.refusal(*options, '-p', self.port))

    def test_the_environment_may_name_the_users_of_sasl(self):
        os.environ['MEMCACHED_SASL_PWDB'] = self.users('a:b\n')
        self.addCleanup(os.environ.pop, 'MEMCACHED_SASL_PWDB')
        server = self.start('-S', waits=False)

        def is_in():
            try:
                with BinaryWire(port=server.port, timeout=5) as c:
                    return c.ask(packet(SASL_AUTH, b'PLAIN', b'', b'\0a\0b')).status == OK
            except (OSError, Closed):
                return False
        self.wait_until(is_in, 'nobody comes in')
        server.stop()


del AuthCase, StartCase

if __name__ == '__main__':
    millrace_server.run()
