#!/usr/bin/python3
"""Users, cores, memory: starts that do as they were told, and a sentence that says what would work for those that cannot."""
import os
import pwd
import re
import subprocess
import time

import millrace_server
from start_case import StartCase, listening_addresses


class Starting(StartCase):
    """What does not depend on the number of workers."""

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest('only root can become another user')
        path = os.path.join(self.folder, 'socket')
        server = self.start('-u', 'nobody', unix_path=path)
        nobody = pwd.getpwnam('nobody').pw_uid
        with server.connect() as c:   # the kernel takes connections a little earlier than we serve them
            self.assertEqual(c.store(b'a', b'x'), b'STORED')
        with open('/proc/%d/status' % server.pid) as f:
            self.assertEqual(re.search(r'Uid:(.*)', f.read()).group(1).split(), [str(nobody)] * 4)
        self.assertEqual(os.stat(path).st_uid, nobody)
        server.stop()
        self.assertIn('-u nosuchuser: there is no such user', self.refusal('-p', self.port, '-l', '127.0.0.1', user='nosuchuser'))
        self.assertRegex(self.refusal('-p', self.port, user=None), 'root must say which user to become')

    def as_nobody(self):
        if os.geteuid() != 0:
            return []
        if subprocess.run(['which', 'setpriv'], capture_output=True).returncode:
            self.skipTest('setpriv (util-linux) is not installed')
        return ['setpriv', '--reuid', 'nobody', '--clear-groups']

    def test_a_port_of_root_s(self):
        with open('/proc/sys/net/ipv4/ip_unprivileged_port_start') as f:
            if int(f.read()) <= 1:
                self.skipTest('this host lets anybody use every port')
        self.assertIn('ports below 1024 need CAP_NET_BIND_SERVICE',
                      self.refusal('-p', 1, '-l', '127.0.0.1', user=None, prefix=self.as_nobody()))

    def test_an_address_that_is_not_ours(self):
        self.assertIn('this host has no such address', self.refusal('-l', '192.0.2.1', '--open', '-p', self.port))

    def test_workers_that_do_not_fit_and_the_advice(self):
        cpus = len(os.sched_getaffinity(0))
        said = self.refusal('-p', self.port, '-t', cpus + 1)
        advised = re.search(r'use -t (\d+) or fewer', said)
        self.assertTrue(advised and '--oversubscribe' in said, said)
        self.assertIn('%s worker' % advised.group(1), self.plan('-t', advised.group(1), '-m', 64 * cpus))
        self.assertEqual(int(advised.group(1)), cpus)
        # As many as fit start without being asked to, one on each CPU.
        server = self.start('-t', cpus, '-m', 64 * cpus)
        self.assertEqual(server.stats()['threads'], str(cpus))
        server.stop()

    def test_a_core_that_is_not_there(self):
        said = self.refusal('-p', self.port, '--cores', '8000')
        self.assertIn('has no CPU 8000', said)
        self.assertRegex(said, r'it may use \d')
        cpu = max(os.sched_getaffinity(0))
        server = self.start('--cores', cpu)
        placed = []
        for thread in os.listdir('/proc/%d/task' % server.pid):
            with open('/proc/%d/task/%s/comm' % (server.pid, thread)) as f:
                if f.read().startswith('worker-'):
                    placed.append(os.sched_getaffinity(int(thread)))
        self.assertEqual(placed, [{cpu}])
        server.stop()

    def test_memory_that_the_machine_has_not(self):
        with open('/proc/meminfo') as f:
            there_mib = int(re.search(r'MemTotal:\s+(\d+) kB', f.read()).group(1)) // 1024
        workers = 1 + there_mib // (24 << 10)   # one can address 32 GiB
        asked = ['-t', workers, *(['--oversubscribe'] if workers > len(os.sched_getaffinity(0)) else [])]
        said = self.refusal('-p', self.port, '-m', there_mib + 1024, *asked)
        advised = re.search(r'-m (\d+) or less', said)
        self.assertTrue(advised, said)
        self.assertIn('of memory for items', self.plan('-m', advised.group(1), *asked))

    def test_memory_too_little_for_so_many_workers(self):
        said = self.refusal('-p', self.port, '-m', 8, '-t', 8, '--oversubscribe')
        advised = re.search(r'use -t (\d+) or fewer, or -m (\d+) or more', said)
        self.assertTrue(advised, said)
        self.assertIn('of memory for items', self.plan('-m', 8, '-t', advised.group(1), '--oversubscribe'))
        self.assertIn('of memory for items', self.plan('-m', advised.group(2), '-t', 8, '--oversubscribe'))

    def test_the_plan_is_shown_and_nothing_started(self):
        said = self.plan('-p', self.port)
        self.assertRegex(said, r'worker +cpu +core')
        self.assertRegex(said, r'\d+ workers?, [\d.]+ MiB of memory for items')
        self.assertEqual(listening_addresses(self.port), set())
        big = self.plan('--topology', 'node:2 core:4 pu:2', '-t', 8, '-m', 2048)
        rows = re.findall(r'^ +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +256\.0 MiB', big, re.M)
        self.assertEqual(len(rows), 8, big)
        self.assertEqual([int(row[4]) for row in rows], [0] * 4 + [1] * 4, big)
        self.assertEqual(len({row[2] for row in rows}), 8, 'each worker has a core of its own')

    def test_the_plan_is_said_by_a_server_that_is_to_say_more(self):
        for arguments, says_so in ((), False), (('-v',), True):
            server = self.start('-t', 1, *arguments)
            self.assertEqual('worker   cpu  core' in server.output(), says_so)
            self.assertIn('listening on 127.0.0.1:%d, 1 worker' % server.port, server.output())
            server.stop()

    def test_idle_workers_sleep_unless_they_are_to_spin(self):
        turns = {}
        for arguments in (), ('--poll',):
            server = self.start(*arguments)
            with server.connect() as c:
                before = int(c.stats()['millrace_turns'])
                time.sleep(0.5)
                turns[arguments] = int(c.stats()['millrace_turns']) - before
                self.assertEqual(c.store(b'a', b'x'), b'STORED')
            server.stop()
        self.assertLess(turns[()], 100)
        self.assertGreater(turns[('--poll',)], 1000)

    def skip_for_sanitizers(self):
        if millrace_server.binary.is_sanitized:
            self.skipTest('AddressSanitizer makes mlock() a word without meaning')

    def test_memory_that_stays(self):
        self.skip_for_sanitizers()
        server = self.start('-k', '-m', '64')
        with open('/proc/%d/status' % server.pid) as f:
            self.assertGreaterEqual(int(re.search(r'VmLck:\s+(\d+) kB', f.read()).group(1)), 64 * 1024)
        server.stop()
        if os.geteuid() == 0:
            server = self.start('-u', 'nobody', '-k', '-m', '64')
            server.stop()

    def test_memory_that_may_not_stay(self):
        self.skip_for_sanitizers()
        little = 1 << 20
        prefix = ['prlimit', '--memlock=%d' % little, *self.as_nobody()]
        self.assertRegex(self.refusal('-k', '-t', 1, '-m', 64, '-p', self.port, user=None, prefix=prefix),
                         r'-k: 64\.0 MiB of memory could not be locked: .*the limit is 1\.0 MiB.*leave out -k')

    def test_what_is_not_there_is_refused_with_the_reason(self):
        for option, reason in (('-S', 'it is not said who may come in'), ('-Z', 'no TLS yet'), ('-e/tmp/x', 'does not outlive'),
                               ('-oext_path=/x', 'no external storage')):
            self.assertIn(reason, self.refusal(option, '-p', self.port))


del StartCase

if __name__ == '__main__':
    millrace_server.run()
