"""doctor on captured trees: what it finds, in which order, and that it leaves a notebook alone."""
import json
import os
import subprocess
import unittest

from scripts_case import ROOT, ScriptsCase
from fake_ethtool import FakeEthtool
from tuning import cores, findings, queues


class Doctor(ScriptsCase):
    def ask(self, status, *arguments):
        return json.loads(self.call(findings.main, '--json', *arguments, run=FakeEthtool(self.tree, self.root), status=status))

    def sentences(self, status=1, *arguments):
        return [f['sentence'] for f in self.ask(status, *arguments)['findings']]

    def test_two_sockets_until_nothing_is_left(self):
        self.plant('two_sockets')
        found = self.ask(1)['findings']
        order = [('stops it', 'slows it', 'shakes it').index(f['weight']) for f in found]
        self.assertEqual(order, sorted(order))
        text = '\n'.join(f['sentence'] for f in found)
        for word in 'powersave', 'between nodes', 'C1E, C6', 'interrupts of ens1f0np0':
            self.assertIn(word, text)
        fake = FakeEthtool(self.tree, self.root)
        self.call(cores.main, 'apply', '--yes', run=fake)
        self.call(queues.main, 'apply', '--yes', *[w for n in self.tree.nics for w in ('--nic', n)], run=fake)
        with open(os.path.join(self.root, 'proc/cmdline'), 'a', encoding='utf-8') as file:
            file.write(' isolcpus=managed_irq,domain,1-31\n')
        self.assertEqual(self.sentences(0), [])

    def test_amd(self):
        self.plant('amd_nps4')
        text = '\n'.join(self.sentences())
        for word in 'hpet', 'schedutil', 'base frequency', 'C2':
            self.assertIn(word, text)
        self.assertTrue(any('node 2, no worker' in s for s in self.sentences(1, '--cores', '1-8')))

    def test_rented_machine(self):
        self.plant('cloud_virtio')
        found = self.ask(1)
        self.assertTrue(found['guest'])
        self.assertFalse(any('frequency' in f['sentence'] or 'sleep' in f['sentence'] for f in found['findings']))
        self.assertFalse(any('IOMMU' in line for line in found['dpdk']))

    def test_a_machine_as_it_was_captured(self):
        self.plant('microvm')
        found = self.ask(1)
        self.assertTrue(found['guest'])
        self.assertEqual([f['sentence'] for f in found['findings']], ["other programs run on the workers' cores",
                                                                      'interrupts of eth0 may come to any core'])
        self.assertIn('vfio-pci is not loaded: modprobe vfio-pci', found['dpdk'])
        self.assertAsBefore()

    def test_notebook_needs_nothing_unless_it_cannot_run(self):
        self.plant('laptop')
        self.assertIn('fine for development', self.call(findings.main, run=FakeEthtool(self.tree, self.root)))
        self.files.replace('proc/sys/kernel/osrelease', '5.10.0-9-amd64\n')
        self.assertIn('too old', self.sentences()[0])

    def test_this_very_machine(self):
        done = subprocess.run([os.path.join(ROOT, 'scripts/doctor')], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.stderr, '')
        self.assertTrue(done.stdout)


if __name__ == '__main__':
    unittest.main()
