"""For the tests of the tuning scripts: each works on a captured tree in a folder of its own, without root."""
import contextlib
import io
import os
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'scripts'))

import kernel  # noqa: E402
import tree    # noqa: E402

SERVERS = 'two_sockets', 'amd_nps4', 'cloud_virtio'
TREES = SERVERS + ('laptop', 'microvm')


class ScriptsCase(unittest.TestCase):
    def plant(self, name, **how):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root, self.tree = folder.name, tree.load(name)
        self.tree.expand(self.root)
        self.files = kernel.KernelTree(self.root, **how)
        self.before = tree.snapshot(self.root)

    def call(self, main, *arguments, run=None, status=0):
        """What a script prints on both outputs; its exit status is checked."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                found = main([*arguments, '--root', self.root], files=self.files, run=run)
            except SystemExit as leaving:
                found = leaving.code
        self.assertEqual(found, status, out.getvalue()[-3000:])
        return out.getvalue()

    def assertAsBefore(self):
        now = tree.snapshot(self.root)
        changed = sorted(path for path in now.keys() | self.before.keys() if now.get(path) != self.before.get(path))
        self.assertEqual(changed, [])
