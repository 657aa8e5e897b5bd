#!/usr/bin/python3
"""millrace-load as its user sees it: files it writes, the page in a browser, the live line, Ctrl-C, a server that dies.

The page is looked at by Debian's chromium, and only by it; without one that test is skipped.
"""
import base64
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import zlib

import millrace_server
from millrace_server import ServerCase, generator

CHROMIUM = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--window-size=1240,1800']


def hdr_count(text):
    """How many values an HdrHistogram in V2 encoding holds: by the published format, knowing nothing of ours."""
    outer = base64.b64decode(text)
    cookie, size = struct.unpack('>ii', outer[:8])
    assert cookie == 0x1c849314 and size == len(outer) - 8
    plain = zlib.decompress(outer[8:])
    cookie, size, _, digits = struct.unpack('>iiii', plain[:16])
    assert cookie == 0x1c849313 and size == len(plain) - 40 and digits == 2
    total, at = 0, 40
    while at < len(plain):
        value = shift = 0
        while True:
            byte = plain[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        number = (value >> 1) ^ -(value & 1)
        total += max(number, 0)
    return total


class LoadCase(ServerCase):
    server_arguments = ['-m', '64']

    def setUp(self):
        if not os.access(generator(), os.X_OK):
            self.skipTest('no generator at %s; build it, or name one in MILLRACE_LOAD' % generator())
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *words, server=None):
        return [generator(), '--server', '127.0.0.1:%d' % (server or self.server).port, *[str(word) for word in words]]

    def load(self, *words, status=0):
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60 * millrace_server.binary.patience)
        self.assertEqual(done.returncode, status, done.stderr.decode() + done.stdout.decode())
        return done.stdout.decode(), done.stderr.decode()

    def start_load(self, *words, server=None):
        """A long run, once it has measured something."""
        process = subprocess.Popen(self.command(*words, '--live', '--interval-seconds', 0.1, server=server),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertIn(b'requests/s', process.stderr.readline())
        return process

    def finish_load(self, process, status):
        """What it has printed."""
        table, said = process.communicate(timeout=60 * millrace_server.binary.patience)
        self.assertEqual(process.returncode, status, said.decode() + table.decode())
        return table.decode()

    def read(self, name):
        with open(self.path(name)) as file:
            return json.load(file)


class Reports(LoadCase):
    def test_an_open_loop_writes_every_form_of_its_result(self):
        table, said = self.load('--mode', 'fill,mix', '--keys', 2000, '--rate', 3000, '--arrivals', 'poisson', '--seconds', 1,
                                '--interval-seconds', 0.2, '--json', self.path('r.json'), '--html', self.path('r.html'), '--hdr',
                                self.path('r.hdr'))
        self.assertEqual(said, '', 'quiet where there is no terminal')
        self.assertRegex(table, r'mix +1 .* 3000 ')
        result = self.read('r.json')
        with self.server.connect() as c:
            self.assertEqual('VERSION ' + result['server']['version'], c.ask(b'version\r\n').decode())
            self.assertEqual(result['server']['settings']['maxbytes'], c.stats(b' settings')['maxbytes'])
        self.assertEqual(result['failures']['total'], 0)
        fill, mix = result['phases']
        self.assertNotIn('pace', fill, 'a fill makes ready: it is held to no rate')
        self.assertEqual(fill['stored'], 2000)
        self.assertEqual(mix['pace']['rate_per_s'], 3000)
        self.assertEqual(mix['hits'], mix['keys_asked'])
        # Poisson: 3000 due, standard deviation 55.
        self.assertLess(abs(mix['pace']['due'] - 3000), 400)
        histogram = mix['latency_histogram']
        self.assertEqual(sum(count for _, count in histogram['buckets']), histogram['count'])
        self.assertEqual(sum(one['requests'] for one in mix['operations'].values()), mix['requests'])
        self.assertEqual(sum(point['requests'] for point in mix['timeline']), mix['requests'])
        with open(self.path('r.hdr')) as file:
            lines = [line.strip() for line in file if line[0] not in '#"']
        whole = [line for line in lines if not line.startswith('Tag=')]
        tagged = [line for line in lines if line.startswith('Tag=')]
        self.assertEqual(sum(hdr_count(line.split(',')[-1]) for line in whole), fill['requests'] + mix['requests'])
        self.assertEqual(sum(hdr_count(line.split(',')[-1]) for line in tagged), mix['requests'], 'two operations: each by itself')

    def test_results_are_compared_and_merged(self):
        for name, depth in (('a.json', 1), ('b.json', 4)):
            self.load('--mode', 'get', '--keys', 100, '--seconds', 0.3, '--depth', depth, '--json', self.path(name))
        said = subprocess.run([generator(), 'compare', self.path('a.json'), self.path('b.json')], capture_output=True, timeout=60)
        self.assertEqual(said.returncode, 0)
        self.assertRegex(said.stdout.decode(), r'generator\.depth +1 +4')
        self.assertRegex(said.stdout.decode(), r'requests/s +\d+ +\d+ +\d+\.\d+')
        done = subprocess.run([generator(), 'merge', self.path('a.json'), self.path('b.json'), '--json', self.path('m.json')],
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        a, b, merged = self.read('a.json'), self.read('b.json'), self.read('m.json')
        self.assertEqual(merged['phases'][0]['requests'], a['phases'][0]['requests'] + b['phases'][0]['requests'])
        self.assertEqual(len(merged['generators']), 2)
        self.assertIn('ran together for only', done.stdout.decode(), 'one ran after the other')
        for words in (['compare', self.path('a.json')], ['merge'], ['compare', '--no-such-word', 'a', 'b']):
            self.assertEqual(subprocess.run([generator(), *words], capture_output=True, timeout=60).returncode, 2, words)
        with open(self.path('broken.json'), 'w') as file:
            file.write('{"program": "other"}')
        failed = subprocess.run([generator(), 'merge', self.path('broken.json')], capture_output=True, timeout=60)
        self.assertEqual(failed.returncode, 1)
        self.assertIn(b'broken.json', failed.stderr)

    def test_a_search_for_the_knee_shows_each_trial(self):
        table, said = self.load('--mode', 'get', '--keys', 100, '--find-knee', '--rate', 500, '--p99-us', 1e6, '--seconds', 0.1,
                                '--warmup-seconds', 0, '--knee-trials', 4, '--json', self.path('k.json'))
        result = self.read('k.json')
        trials = [phase for phase in result['phases'] if 'verdict' in phase]
        self.assertEqual(len(trials), result['knee']['trials'])
        self.assertEqual(len(re.findall(r'^trial \d+: ', said, re.M)), len(trials))
        self.assertIn('knee: ', table)

    def test_what_cannot_be_written_is_said(self):
        for words in (['--json', '/nowhere/r.json'], ['--html', '/nowhere/r.html'], ['--hdr', '/nowhere/r.hdr']):
            _, said = self.load('--mode', 'get', '--keys', 10, '--requests', 10, *words, status=1)
            self.assertIn('/nowhere/', said)


class Page(LoadCase):
    """The report in a real browser."""

    def browse(self, *words):
        chromium = shutil.which('chromium')
        if not chromium:
            self.skipTest('chromium is not installed')
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run([chromium, *CHROMIUM, '--user-data-dir=' + profile, *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors='replace'))
        return done.stdout.decode(errors='replace')

    def charts_of(self, dom):
        """The figures of the page, by name, each with how many shapes it draws."""
        failed = re.search(r'could not be drawn: [^<$]+', dom)
        self.assertIsNone(failed, failed and failed.group())
        self.assertIn('data-state="ready"', dom)
        self.assertNotIn('NaN', dom)
        figures = re.findall(r'<figure id="(\w+)".*?</figure>', dom, re.S)
        bodies = re.findall(r'<figure id="\w+".*?</figure>', dom, re.S)
        return {name: len(re.findall(r'<(?:path|circle|rect) ', body)) for name, body in zip(figures, bodies)}

    def test_it_draws_its_charts(self):
        self.load('--mode', 'fill,mix', '--keys', 2000, '--rate', 3000, '--seconds', 2, '--interval-seconds', 0.2, '--threads', 2,
                  '--html', self.path('r.html'))
        dom = self.browse('--dump-dom', 'file://' + self.path('r.html'))
        charts = self.charts_of(dom)
        self.assertGreaterEqual(charts['throughput'], 3, 'answered as area and line, due as a line')
        self.assertEqual(charts['latency'], 4, 'p50, p99, p99.9 and the maximum')
        self.assertEqual(charts['percentiles'], 3, 'get, set, and what the generator was late')
        self.assertGreater(charts['distribution'], 5)
        self.assertIn('hits', charts)
        self.assertIn('workers', charts)
        for words in ('<td>maxbytes</td><td>67108864</td>', '<td>arrivals</td><td>constant</td>', '<td>keys</td><td>2000</td>'):
            self.assertIn(words, dom)
        self.assertIn('99.9 %', dom)
        # The other phase, by its address: a fill has no schedule and reads nothing.
        fill = self.charts_of(self.browse('--dump-dom', 'file://' + self.path('r.html') + '#0'))
        self.assertNotIn('hits', fill)
        self.assertEqual(fill['percentiles'], 1)
        self.browse('--screenshot=' + self.path('r.png'), 'file://' + self.path('r.html'))
        self.assertGreater(os.path.getsize(self.path('r.png')), 50_000, 'a page with something on it')

    def test_it_shows_a_search_and_failures(self):
        self.load('--mode', 'get', '--keys', 100, '--find-knee', '--rate', 500, '--p99-us', 1e6, '--seconds', 0.1,
                  '--warmup-seconds', 0, '--knee-trials', 4, '--html', self.path('k.html'))
        dom = self.browse('--dump-dom', 'file://' + self.path('k.html'))
        self.assertEqual(self.charts_of(dom)['knee'], 4, 'a dot a trial')
        victim = self.start('-m', '64')
        process = self.start_load('--mode', 'get', '--rate', 500, '--seconds', 600, '--html', self.path('f.html'), server=victim)
        victim.kill()
        self.finish_load(process, 1)
        dom = self.browse('--dump-dom', 'file://' + self.path('f.html'))
        self.charts_of(dom)
        self.assertRegex(dom, r'Failures: .*(closed|reset)')


class WhileItRuns(LoadCase):
    def test_a_line_an_interval(self):
        _, said = self.load('--mode', 'get', '--keys', 100, '--seconds', 2, '--interval-seconds', 0.1, '--live')
        self.assertGreaterEqual(len(re.findall(r'^get 1 .*requests/s .*p99 ', said, re.M)), 3)
        self.assertNotIn('\r', said)

    def test_on_a_terminal_the_line_is_rewritten_and_wiped(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(self.command('--mode', 'get', '--keys', 100, '--seconds', 2, '--interval-seconds', 0.1),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b''
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is gone
                break
            if not piece:
                break
            said += piece
        os.close(ours)
        self.assertEqual(process.wait(60), 0)
        self.assertGreaterEqual(said.count(b'\r\x1b[Kget 1 '), 3)
        self.assertTrue(said.endswith(b'\r\x1b[K'))

    def test_an_interrupt_ends_an_open_loop_with_a_report(self):
        process = self.start_load('--mode', 'get', '--keys', 100, '--rate', 1000, '--seconds', 600, '--json', self.path('i.json'))
        process.send_signal(signal.SIGINT)
        self.assertIn('Interrupted', self.finish_load(process, 130))
        result = self.read('i.json')
        self.assertTrue(result['interrupted'])
        self.assertGreater(result['phases'][0]['requests'], 0)

    def test_a_server_that_dies_ends_an_open_loop(self):
        victim = self.start('-m', '64')
        process = self.start_load('--mode', 'get', '--rate', 2000, '--seconds', 600, '--json', self.path('d.json'), server=victim)
        victim.kill()
        self.assertIn('FAILED', self.finish_load(process, 1))
        result = self.read('d.json')
        self.assertFalse(result['phases'][0]['complete'])
        self.assertGreater(result['failures']['total'], 0)

    def test_a_server_that_stops_answering_is_given_up(self):
        victim = self.start('-m', '64')
        process = self.start_load('--mode', 'get', '--rate', 2000, '--seconds', 4, '--timeout-seconds', 1, '--json',
                                  self.path('s.json'), server=victim)
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            self.finish_load(process, 1)
        finally:
            os.kill(victim.pid, signal.SIGCONT)
        result = self.read('s.json')
        self.assertGreater(result['failures']['timeouts'], 0)
        self.assertGreater(result['phases'][0]['pace']['never_left'], 0, 'what could not leave is counted')
        self.assertGreater(result['phases'][0]['latency_us']['max'], 5e5, 'with the time it waited')
        victim.stop()


if __name__ == '__main__':
    millrace_server.run()
