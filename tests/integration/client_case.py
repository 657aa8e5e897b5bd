"""What the suites of unmodified clients share: a clean server, tools and scripts that are run against it, and a server that
wants SASL. A script of clients/ ends with "all done", or says "cannot load ..." where its client is not installed."""
import os
import shutil
import subprocess
import tempfile

import millrace_server
from binary_wire import BinaryWire, OK, VERSION, packet
from millrace_server import ServerCase
from wire import Closed

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients')
# Where scripts/setup puts the clients that come from npm.
NODE_MODULES = os.path.join(millrace_server.REPOSITORY, 'build-clients', 'node_modules')
USER, PASSWORD = 'alice', 'secret'
# A value that fits beside the longest key and the item's header in the default largest item of 1 MiB.
NEARLY_TOO_LARGE = 1024 * 1024 - 512
TOO_LARGE = 1024 * 1024 + 1


class ClientCase(ServerCase):
    server_arguments = ['-m', '256']

    def setUp(self):
        if self.server:
            self.flush(self.server)
            self.address = '127.0.0.1:%d' % self.server.port

    def flush(self, server):
        with server.connect() as c:
            self.assertEqual(c.ask(b'flush_all\r\n'), b'OK')

    def run_tool(self, *argv, status=0, environment=None):
        """What a program says; its exit status has to be `status` (None: any)."""
        if not shutil.which(argv[0]):
            self.skipTest('%s is not installed' % argv[0])
        answer = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=120 * millrace_server.binary.patience, env=dict(os.environ, **(environment or {})))
        said = answer.stdout.decode(errors='replace')
        if status is not None:
            self.assertEqual(answer.returncode, status, '%s\n%s' % (' '.join(argv), said))
        return said

    def script_says_done(self, language, script, *words, **options):
        said = self.run_tool(language, os.path.join(SCRIPTS, script), *words, status=None, **options)
        if 'cannot load' in said:
            self.skipTest(said.strip())
        self.assertTrue(said.rstrip().endswith('all done'), said)

    def node_says_done(self, script, *words):
        path = os.pathsep.join(p for p in (NODE_MODULES, os.environ.get('NODE_PATH')) if p)
        self.script_says_done('node', script, *words, environment={'NODE_PATH': path})

    def over_a_unix_socket(self):
        """The path of another server's unix socket; at the end of the test the server must hold nothing."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        server = self.start('-m', '256', unix_path=os.path.join(folder.name, 'millrace.sock'))
        self.addCleanup(server.stop)
        self.addCleanup(server.assert_nothing_held)
        self.unix_server = server
        return server.unix_path

    def guarded(self):
        """A server that wants SASL: from USER, PASSWORD."""
        self.skip_for_stand_in('Debian builds it for other files of users')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'users')
        with open(path, 'w') as f:
            f.write('%s:%s\n' % (USER, PASSWORD))
        server = self.start('-S', '--sasl-pwdb', path, '-m', '256', waits=False)
        self.addCleanup(server.stop)

        def answers():
            try:
                with BinaryWire(port=server.port, timeout=5) as c:
                    return c.ask(packet(VERSION)).status == OK
            except (OSError, Closed):
                return False
        self.wait_until(answers, 'it does not answer')
        return server
