"""tune-queues on captured trees with a fake ethtool: there and back, drift, failures, and what is refused."""
import copy
import unittest

from scripts_case import TREES, ScriptsCase  # first: it says where the scripts are
from fake_ethtool import FakeEthtool
from tuning import queues


class TuneQueues(ScriptsCase):
    def plant(self, name, **how):
        super().plant(name, **how)
        self.ethtool = FakeEthtool(self.tree, self.root)
        self.cards = copy.deepcopy(self.ethtool.cards)

    def tune(self, *arguments, status=0):
        return self.call(queues.main, *arguments, run=self.ethtool, status=status)

    def assertAsBefore(self):
        super().assertAsBefore()
        self.assertEqual(self.ethtool.cards, self.cards)

    def test_there_and_back_on_every_tree_with_every_card(self):
        for name in TREES:
            with self.subTest(tree=name):
                self.plant(name)
                self.tune('show')
                cards = [word for nic in self.tree.nics for word in ('--nic', nic)]
                self.tune('apply', *cards, '--busy-poll-us', '50', '--rx-usecs', '8')
                self.assertAsBefore()
                key = [] if any(c['queues'] == 1 for c in self.tree.nics.values()) else ['--rss-key', ':'.join(['a5'] * 40)]
                self.tune('apply', '--yes', *cards, '--busy-poll-us', '50', '--rx-usecs', '8', *key)
                self.tune('verify')
                self.files.writes.clear()
                self.tune('apply', '--yes')
                self.assertEqual(self.files.writes, [])
                self.tune('revert', '--yes')
                self.assertAsBefore()

    def test_queues_meet_the_workers_of_their_node(self):
        self.plant('two_sockets')
        self.tune('apply', '--yes', '--nic', 'ens1f0np0', '--nic', 'ens4f0np0', '--cores', '4-7,40-41', '--aim-port', '11300')
        cards, read = self.ethtool.cards, self.files.read
        self.assertEqual((cards['ens1f0np0']['combined'], cards['ens4f0np0']['combined']), (4, 2))
        self.assertEqual([read(f'proc/irq/{100 + q}/smp_affinity_list') for q in range(4)], list('4567'))
        self.assertEqual([read(f'proc/irq/{400 + q}/smp_affinity_list') for q in range(2)], ['40', '41'])
        self.assertEqual(read('sys/class/net/ens4f0np0/queues/tx-1/xps_cpus'), '200,00000000')
        self.assertEqual(set(cards['ens1f0np0']['table']), {0, 1, 2, 3})
        self.assertIn(('udp6', 11303, 3), cards['ens1f0np0']['rules'].values())
        self.assertEqual(read('proc/irq/200/smp_affinity_list'), '0-127')  # a card nobody named
        cards['ens1f0np0']['ring'] = 256
        self.assertIn('rings', self.tune('verify', status=1))
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_a_card_goes_to_vfio_and_comes_back(self):
        self.plant('two_sockets')
        self.tune('apply', '--yes', '--nic', 'ens2f0', '--driver', 'vfio-pci')
        self.assertEqual(self.files.link('sys/bus/pci/devices/0000:31:00.0/driver'), 'vfio-pci')
        self.assertFalse(self.files.exists('sys/class/net/ens2f0'))
        self.tune('verify')
        self.tune('apply', '--yes')
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_what_would_cut_the_operator_off_is_refused(self):
        self.plant('two_sockets')
        vfio = 'apply', '--yes', '--driver', 'vfio-pci', '--nic'
        self.assertIn('ssh session', self.tune(*vfio, 'ens3f0', status=2))
        self.assertIn('beside the kernel', self.tune(*vfio, 'ens1f0np0', status=2))
        self.assertIn('no network card eth9', self.tune('show', '--nic', 'eth9', status=2))
        self.assertIn('say which card', self.tune('apply', '--yes', status=2))
        self.assertIn('at most 32', self.tune('apply', '--yes', '--nic', 'ens4f0np0', '--queues', '33', status=2))
        self.ethtool.cards['ens2f0']['table'][3] = 0
        self.assertIn('uneven', self.tune('apply', '--yes', '--nic', 'ens2f0', status=2))
        self.ethtool.cards['ens2f0']['table'][3] = 3
        self.assertAsBefore()
        self.tune(*vfio, 'ens3f0', '--force')
        self.tune('revert', '--yes')
        self.assertAsBefore()
        self.plant('laptop')
        self.assertIn('no RSS key', self.tune('apply', '--yes', '--nic', 'enp0s31f6', '--rss-key', 'aa', status=2))
        self.plant('cloud_virtio')
        self.assertIn('default route', self.tune(*vfio, 'ens3', status=2))
        self.assertIn('vfio-pci is not loaded', self.tune(*vfio, 'ens3', '--force', status=2))

    def test_a_failure_in_the_middle_can_be_reverted(self):
        self.plant('two_sockets')
        self.ethtool.broken.add('-G')
        self.assertIn('revert --yes', self.tune('apply', '--yes', '--nic', 'ens2f0', status=1))
        self.assertNotEqual(self.ethtool.cards, self.cards)
        self.ethtool.broken.clear()
        self.tune('revert', '--yes')
        self.assertAsBefore()


if __name__ == '__main__':
    unittest.main()
