"""What the suites of unmodified clients share: a clean server, tools and scripts that are run against it, and a server that
wants SASL. A script of clients/ ends with "all done", or says "cannot load ..." where its client is not installed."""
import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile

import millrace_server
from binary_wire import BinaryWire, OK, VERSION, packet
from millrace_server import ServerCase, WORKERS, under_both

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients')
# Where scripts/setup puts the clients that come from npm.
NODE_MODULES = os.path.join(millrace_server.REPOSITORY, 'build-clients', 'node_modules')
USER, PASSWORD = 'alice', 'secret'
# A value that fits beside the longest key and the item's header in the default largest item of 1 MiB.
NEARLY_TOO_LARGE = 1024 * 1024 - 512
TOO_LARGE = 1024 * 1024 + 1


class ClientCase(ServerCase):
    """`address` is what clients call the server: HOST:PORT, or the path of its unix socket."""
    server_arguments = ['-m', '256']
    uses_unix_socket = False

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = cls.wants_server and millrace_server.Server(*cls.worker_arguments, *cls.server_arguments,
                                                                 unix_path=cls.socket_path('server'))

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.folder.cleanup()

    @classmethod
    def socket_path(cls, name):
        """For a server's unix_path; None over TCP."""
        return os.path.join(cls.folder.name, name + '.sock') if cls.uses_unix_socket else None

    def setUp(self):
        if self.server:
            self.flush(self.server)
            self.address = self.address_of(self.server)

    @staticmethod
    def address_of(server):
        return server.unix_path or '127.0.0.1:%d' % server.port

    @staticmethod
    def host_and_port(server, scheme=''):
        """For clients that want two words."""
        return (scheme + server.unix_path, '0') if server.unix_path else ('127.0.0.1', str(server.port))

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

    def skip_where_libmemcached_does_not_log_in(self):
        if self.uses_unix_socket:
            self.skipTest('libmemcached does not even try to log in over a unix socket')

    def guarded(self):
        """A server that wants SASL: from USER, PASSWORD."""
        self.skip_for_stand_in('Debian builds it for other files of users')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'users')
        with open(path, 'w') as f:
            f.write('%s:%s\n' % (USER, PASSWORD))
        server = self.start('-S', '--sasl-pwdb', path, '-m', '256', waits=False, unix_path=self.socket_path('guarded'))
        self.addCleanup(server.stop)

        def ask():
            with BinaryWire(port=server.port, unix_path=server.unix_path, timeout=5) as c:
                self.assertEqual(c.ask(packet(VERSION)).status, OK)
        server.wait_until_it_answers(ask)
        return server


def in_all_ways(cls):
    """A ClientCase over TCP under every way of WORKERS, and over a unix socket with four workers."""
    name = cls.__name__ + '_over_a_unix_socket'
    setattr(sys.modules[cls.__module__], name, type(name, (cls,), {
        'uses_unix_socket': True, 'worker_arguments': WORKERS['four_workers'], '__module__': cls.__module__}))
    return under_both(cls)


@functools.cache
def build_folder():
    """Where clients are compiled to; gone when the suite is through."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    return folder
