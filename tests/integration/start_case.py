"""For tests of how a server starts, or does not: each starts its own."""
import os
import subprocess
import tempfile

import millrace_server
from millrace_server import ServerCase, free_port
from wire import Wire


def listening_addresses(port):
    """The local addresses on which somebody listens at the port, as the kernel lists them."""
    found = set()
    for path in '/proc/net/tcp', '/proc/net/tcp6':
        with open(path) as f:
            for line in list(f)[1:]:
                words = line.split()
                address, _, number = words[1].partition(':')
                if words[3] == '0A' and int(number, 16) == port:
                    found.add(address)
    return found


class StartCase(ServerCase):
    wants_server = False

    def setUp(self):
        self.skip_for_stand_in('other options, other sentences')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)   # another user than ours looks into it
        self.port = free_port()

    def wire(self, host='127.0.0.1', port=None):
        c = Wire(host=host, port=port or self.port, timeout=30 * millrace_server.binary.patience)
        self.addCleanup(c.close)
        return c

    def refusal(self, *arguments, user='root', prefix=()):
        """What is said by a start that has to fail."""
        argv = [*prefix, millrace_server.binary.path, *(['-u', user] if user and os.geteuid() == 0 else []), *map(str, arguments)]
        answer = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=30 * millrace_server.binary.patience)
        said = answer.stdout.decode(errors='replace')
        self.assertEqual(answer.returncode, 1, said)
        for mark in millrace_server.REPORT_MARKS:
            self.assertNotIn(mark.decode(), said)
        return said

    def plan(self, *arguments):
        argv = [millrace_server.binary.path, '--show-plan', *map(str, arguments)]
        answer = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * millrace_server.binary.patience)
        self.assertEqual(answer.returncode, 0, answer.stderr.decode())
        return answer.stdout.decode()
