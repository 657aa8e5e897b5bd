#!/usr/bin/python3
"""The scoreboard's scripts, run small: that they start real servers, measure each and say what they should.

What the figures are is nobody's business here.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, '..', '..', 'bench')
MILLRACE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None


class Scoreboard(unittest.TestCase):
    def setUp(self):
        self.assertIsNotNone(MILLRACE, 'usage: test_scoreboard.py MILLRACE')
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest('a server and a generator need a core each')
        self.build = os.path.dirname(os.path.dirname(MILLRACE))
        if not os.access(os.path.join(self.build, 'bench', 'limits', 'answerer'), os.X_OK):
            self.skipTest('this build has no benchmarks')
        if shutil.which('memcached') is None:
            self.skipTest('no memcached here; scripts/setup test installs it')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.json = os.path.join(folder.name, 'out.json')
        self.cores = [str(core) for core in sorted(os.sched_getaffinity(0))]

    def run_script(self, path, *words):
        done = subprocess.run([sys.executable, os.path.join(BENCH, path), *words, '--json', self.json],
                              env={**os.environ, 'MILLRACE_BUILD': self.build}, capture_output=True, text=True, timeout=240,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.json) as file:
            return done.stdout, json.load(file)

    def test_compares_memcached_redis_a_command_line_and_millrace(self):
        named = 'other=%s -t {threads} -m {memory_mib} -p {port} -l 127.0.0.1 -u root' % shutil.which('memcached')
        servers = ['memcached', 'other', 'millrace']
        without = ''
        if shutil.which('redis-server') is None:
            without = 'redis'
        else:
            servers.append('redis')
        said, result = self.run_script(
            'compare/compare.py', '--rounds', '1', '--seconds', '0.2', '--warmup-seconds', '0.1', '--keys', '2000',
            '--memory', '64', '--connections', '8', '--peer', named, '--without', without,
            '--rows', 'get-1,half-1,set-16,multiget-1k-32', '--server-cores', self.cores[0],
            '--generator-cores', self.cores[1])
        self.assertEqual([row['row'] for row in result['rows']], ['get-1', 'set-16', 'half-1', 'multiget-1k-32'])
        for row in result['rows']:
            self.assertEqual(set(row['summary']), set(servers))
            self.assertEqual(row['summary']['memcached']['ratio'], 1)
            for name, line in row['summary'].items():
                self.assertGreater(line['value'], 0, name)
                self.assertIn(line['hit_ratio'], (None, 1.0), name)
        self.assertIn('GET 64 B, 1 in flight', said)
        self.assertIn('p99.9 ratio', said)

    def test_compares_over_udp(self):
        said, result = self.run_script(
            'compare/compare.py', '--udp', '--rounds', '1', '--seconds', '0.2', '--warmup-seconds', '0.1', '--keys', '2000',
            '--memory', '64', '--connections', '8', '--rows', 'get-1,get-16,multiget-32', '--server-cores', self.cores[0],
            '--generator-cores', self.cores[1])
        self.assertEqual([row['row'] for row in result['rows']], ['get-1'])
        self.assertEqual(result['rows'][0]['summary']['millrace']['hit_ratio'], 1.0)
        self.assertIn('GET 64 B, 1 in flight', said)

    def test_compares_servers_of_two_threads_on_shared_cores(self):
        cores = ','.join(self.cores[:2])
        _, result = self.run_script(
            'compare/compare.py', '--rounds', '1', '--seconds', '0.2', '--warmup-seconds', '0.1', '--keys', '2000',
            '--memory', '64', '--connections', '8', '--without', 'redis', '--rows', 'get-16', '--threads', '2',
            '--server-cores', cores, '--generator-cores', cores)
        self.assertEqual(result['rows'][0]['summary']['millrace']['bound_by'], 'shared cores')

    def test_says_what_idle_connections_cost(self):
        said, result = self.run_script('compare/idle.py', '--idle', '300', '--busy', '4', '--rounds', '1', '--seconds', '0.2',
                                       '--keys', '1000', '--server-core', self.cores[0], '--generator-core', self.cores[1])
        self.assertEqual(set(result['servers']), {'memcached', 'millrace'})
        self.assertIn('beside 300 idle', said)

    def test_shows_the_machines_limits(self):
        said, result = self.run_script('limits/limits.py', '--rounds', '1', '--seconds', '0.2', '--keys', '2000', '--connections',
                                       '4', '--memory', '128', '--server-core', self.cores[0], '--generator-core', self.cores[1])
        self.assertIn('bare io_uring', said)
        self.assertEqual(len(result['rounds']), 1)

    def test_a_server_that_is_not_there_is_a_sentence(self):
        done = subprocess.run([sys.executable, os.path.join(BENCH, 'compare/compare.py'), '--memcached', '/nonexistent/memcached'],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('compare: memcached: /nonexistent/memcached is no program', done.stderr)


if __name__ == '__main__':
    unittest.main()
