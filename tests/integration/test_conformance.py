#!/usr/bin/python3
"""Outside judges: memccapable's text and binary cases (libmemcached) and nutcracker in front of two servers.

With the folder of outside judges there (MILLRACE_SHARED or ../shared), they run inside its private network namespace
through its own scripts; without it, memccapable runs against a server on loopback.
"""
import os
import re
import shutil
import subprocess
import tempfile

import millrace_server
from millrace_server import ServerCase, shared_folder, under_both

# The text and binary cases of libmemcached 1.1.4's memccapable; fewer would mean that it did not run them all.
CASES = 54


@under_both
class Conformance(ServerCase):
    wants_server = False

    def wrapper(self):
        """A script in the server's place, for judges that start the server themselves with memcached's flags."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'server')
        arguments = [a for a in self.worker_arguments if not (a == '--oversubscribe' and millrace_server.binary.is_stand_in)]
        with open(path, 'w') as f:
            f.write('#!/bin/sh\nexec %s "$@" %s\n' % (millrace_server.binary.path, ' '.join(arguments)))
        os.chmod(path, 0o755)
        return path

    def judge(self, argv, seconds, statuses=(0,)):
        answer = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=seconds * millrace_server.binary.patience,
                                env=dict(os.environ, SERVER_WRAPPER=self.wrapper()))
        said = answer.stdout.decode(errors='replace')
        self.assertIn(answer.returncode, statuses, said)
        for mark in millrace_server.REPORT_MARKS:
            self.assertNotIn(mark, answer.stdout, said)
        return said

    def test_memccapable(self):
        if not shutil.which('memccapable'):
            self.skipTest('memccapable is not installed (libmemcached-tools)')
        judges = shared_folder('conformance', 'ns.py')
        if judges and os.geteuid() == 0:
            said = self.judge(['/usr/bin/python3', judges, '--timeout', '120', '--', 'memccapable', '-h', '127.0.0.1',
                               '-p', '11211', '-t', '5'], 150)
        else:
            server = self.start()
            said = self.judge(['memccapable', '-h', '127.0.0.1', '-p', str(server.port), '-t', '5'], 120)
            server.assert_nothing_held()
            server.stop()
        passed = re.findall(r'^(.*?)\s+\[pass\]', said, re.M)
        print('memccapable: %d cases passed' % len(passed))
        self.assertNotIn('[FAIL]', said)
        self.assertEqual(len(passed), CASES, said)

    def test_nutcracker_by_the_judges_script(self):
        self.skip_for_stand_in('1.6.18 takes up to a second to go on SIGTERM; the script allows half a one')
        script = shared_folder('conformance', 'run_nutcracker.py')
        if not script:
            self.skipTest('no conformance/run_nutcracker.py in MILLRACE_SHARED; test_clients_tools.py has a test of its own')
        if not shutil.which('nutcracker') or os.geteuid() != 0:
            self.skipTest('needs nutcracker, and root for a network namespace')
        # Its proxy gives a server up that does not answer for 400 ms, which on a busy machine says little: three tries.
        for _ in range(3):
            # It ends the second server itself; ns.py, above it, takes that for a crash and makes the status 125.
            said = self.judge(['/usr/bin/python3', script], 120, statuses=(0, 1, 125))
            verdict = re.search(r'\b[1-9]\d* passed, 0 failed', said)
            if verdict:
                break
        self.assertTrue(verdict, said)
        for ended in re.findall(r'SERVER on (.*)', said):
            self.assertEqual(ended, 'port 11312 ENDED with status 0 during the run')
        print('nutcracker:', verdict.group())


if __name__ == '__main__':
    millrace_server.run()
