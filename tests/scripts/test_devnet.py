"""devnet really makes and removes its things, and nobody else's. Namespaces need root."""
import os
import subprocess
import tempfile
import unittest

DEVNET = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', 'scripts', 'devnet'))
NAME = f'mr{os.getpid()}'


def can_make_namespaces():
    if os.geteuid() != 0 or subprocess.run(['ip', 'netns', 'add', NAME], capture_output=True).returncode:
        return False
    subprocess.run(['ip', 'netns', 'delete', NAME], check=True)
    return True


class Devnet(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = folder.name

    def call(self, *arguments, status=0):
        done = subprocess.run([DEVNET, '--state', self.state, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_socket_folders(self):
        for kind, word in ('memif', 'role=client'), ('vhost', 'packed_vq=1'):
            said = self.call('up', NAME, kind)
            self.assertIn(word, said)
            self.assertEqual(self.call('up', NAME, kind), said)  # safe to repeat
            self.assertIn(kind, self.call('list'))
            self.call('up', NAME, kind, '--queues', '2', status=1)
            self.call('down', NAME)
            self.call('down', NAME)
            self.assertEqual(os.listdir(self.state), [])
        self.call('up', '../x', 'memif', status=1)

    @unittest.skipUnless(can_make_namespaces(), 'network namespaces need root')
    def test_veth_and_tap(self):
        for kind in 'veth', 'tap':
            self.addCleanup(self.call, 'down', NAME)
            self.call('up', NAME, kind, '--queues', '2', '--address', '10.98.7.1/24')
            self.call('up', NAME, kind, '--queues', '2', '--address', '10.98.7.1/24')
            shown = subprocess.run(['ip', '-n', NAME, 'address'], capture_output=True, text=True).stdout
            self.assertIn('10.98.7.1/24', shown)
            if kind == 'veth':
                self.assertEqual(len(os.listdir(f'/sys/class/net/{NAME}0/queues')), 4)
            self.call('down', NAME)
            self.assertFalse(os.path.exists(f'/sys/class/net/{NAME}0') or os.path.exists(f'/run/netns/{NAME}'))

    @unittest.skipUnless(can_make_namespaces(), 'network namespaces need root')
    def test_others_things_are_left_alone(self):
        subprocess.run(['ip', 'netns', 'add', NAME], check=True)
        try:
            self.assertIn('did not make', self.call('up', NAME, 'veth', status=1))
            self.call('down', NAME)
            self.assertTrue(os.path.exists(f'/run/netns/{NAME}'))
        finally:
            subprocess.run(['ip', 'netns', 'delete', NAME], check=True)


if __name__ == '__main__':
    unittest.main()
