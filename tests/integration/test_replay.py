#!/usr/bin/python3
"""The beginning of two recorded traces, read through the server by millrace-load with every value verified: no error of any
kind, and a hit ratio that is printed beside that of a model of CLOCK with the same memory and no size classes.
"""
import json
import subprocess

import millrace_server
from millrace_server import ServerCase, generator, shared_folder, under_both

MEMORY_MIB = 16
RECORDS = 60_000


@under_both
class Replay(ServerCase):
    server_arguments = ['-m', str(MEMORY_MIB)]

    def replay(self, name):
        path = shared_folder('traces', name + '.txt.gz')
        if not path:
            self.skipTest('no traces/%s.txt.gz in MILLRACE_SHARED or ../shared' % name)
        with self.server.connect() as c:   # a value is made from its key and its size, and traces differ in that
            self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')
        answer = subprocess.run([generator(), '--server', '127.0.0.1:%d' % self.server.port, '--mode', 'replay', '--trace', path,
                                 '--requests', str(RECORDS), '--model-memory', '%dMiB' % MEMORY_MIB, '--verify', '--json', '-'],
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=120 * millrace_server.binary.patience)
        self.assertEqual(answer.returncode, 0, (answer.stdout + answer.stderr).decode(errors='replace')[-2000:])
        report = json.loads(answer.stdout)
        phase, model = report['phases'][0], report['model']
        print('%s, %d records, %d MiB: hit ratio %.4f, model %.4f' %
              (name, phase['records_replayed'], MEMORY_MIB, phase['hit_ratio'], model['hit_ratio']))
        self.assertEqual(report['failures']['total'], 0)
        self.assertTrue(phase['complete'])
        self.assertEqual((phase['records_replayed'], phase['hits'] + phase['misses']), (RECORDS, model['gets']))
        # Pages and size classes cost something when there are few of them; a broken eviction would cost more.
        self.assertGreater(phase['hit_ratio'], 0.7 * model['hit_ratio'])

    def test_web_objects(self):
        self.replay('adapt_web')

    def test_block_storage(self):
        self.replay('cphy_io')


if __name__ == '__main__':
    millrace_server.run()
