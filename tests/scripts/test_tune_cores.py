"""tune-cores on captured trees: apply and revert leave every byte as it was; drift and refusals are seen."""
import json
import os
import subprocess
import sys
import unittest

from scripts_case import ROOT, TREES, ScriptsCase
from tuning import cores, cpus

PLAN = '''this machine: 2 nodes, 64 cores; Millrace may use CPUs 0-127
node 0: 251.6 GiB of memory (238.4 GiB free), workers 0-1, 32.0 GiB reserved
worker   cpu  core  socket  node      memory  idle siblings
     0     4     4       0     0    16.0 GiB  68
     1     5     5       0     0    16.0 GiB  69
2 workers, 32.0 GiB of memory for items
'''


class TuneCores(ScriptsCase):
    def tune(self, *arguments, status=0):
        return self.call(cores.main, *arguments, status=status)

    def test_there_and_back_on_every_tree(self):
        for name in TREES:
            with self.subTest(tree=name):
                self.plant(name)
                self.tune('show')
                self.tune('apply')
                self.assertAsBefore()  # a dry run writes nothing
                self.tune('apply', '--yes', '--huge', '0=1024', '--grub')
                self.tune('verify')
                backup = self.files.read_raw('var/lib/millrace/tuning/tune-cores.json')
                self.files.writes.clear()
                self.tune('apply', '--yes')
                self.assertEqual(self.files.writes, [])
                kept = json.loads(self.files.read_raw('var/lib/millrace/tuning/tune-cores.json'))
                self.assertEqual(kept['entries'], json.loads(backup)['entries'])
                self.tune('revert')
                self.tune('revert', '--yes')
                self.assertAsBefore()
                self.tune('revert', '--yes')

    def test_values_written_on_two_sockets(self):
        self.plant('two_sockets')
        self.tune('apply', '--yes', '--cores', '2-9', '--partition', '--grub')
        read = self.files.read
        for cpu, wanted in ((2, 'performance'), (66, 'performance'), (10, 'powersave')):
            self.assertEqual(read(f'sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor'), wanted)
        self.assertEqual([read(f'sys/devices/system/cpu/cpu2/cpuidle/state{s}/disable') for s in range(4)], list('0011'))
        self.assertEqual(read('proc/irq/24/smp_affinity_list'), '0-1,10-65,74-127')
        self.assertEqual(read('proc/irq/100/smp_affinity_list'), '0-127')  # a card's queue: tune-queues' business
        self.assertIn('IRQBALANCE_BANNED_CPULIST=2-9,66-73\n', self.files.read_raw('etc/default/irqbalance'))
        self.assertEqual(read('sys/fs/cgroup/millrace/cpuset.cpus.partition'), 'isolated')
        self.assertIn('isolcpus=managed_irq,domain,2-9,66-73 ', read('etc/default/grub.d/60-millrace.cfg'))
        self.assertEqual(read('proc/sys/kernel/numa_balancing'), '0')
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_huge_pages_and_cores_come_from_the_servers_plan(self):
        self.plant('two_sockets')
        plan = os.path.join(self.root, 'plan')
        with open(plan, 'w', encoding='utf-8') as file:
            file.write(PLAN)
        said = self.tune('apply', '--yes', '--plan', plan)
        self.assertIn('workers on CPUs 4-5', said)
        pages = 'sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages'
        self.assertEqual(self.files.read(pages), str(32 * 512))
        self.tune('apply', '--yes', '--plan', plan)
        os.unlink(plan)
        self.tune('verify')
        self.assertIn('other options', self.tune('apply', '--yes', '--cores', '6', status=2))

    def test_drift_is_seen(self):
        self.plant('amd_nps4')
        self.tune('apply', '--yes', '--cores', '1-15')
        self.tune('verify')
        self.files.write('sys/devices/system/cpu/cpu3/cpufreq/scaling_governor', 'schedutil\n')
        self.assertIn('governor of 3', self.tune('verify', status=1))
        self.files.write('proc/irq/30/smp_affinity_list', '0-127\n')
        self.assertIn('30 nvme0q0', self.tune('verify', status=1))

    def test_interrupts_that_the_kernel_spreads_itself_are_no_failure(self):
        self.plant('two_sockets', managed_irqs=range(27, 41))
        self.assertIn("14 are the kernel's own", self.tune('apply', '--yes'))
        self.tune('verify')
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_a_failure_in_the_middle_can_be_reverted(self):
        broken = 'sys/devices/system/cpu/cpu40/cpufreq/scaling_governor'
        self.plant('two_sockets', broken=[broken])
        said = self.tune('apply', '--yes', status=1)
        self.assertIn('cpu40' if 'cpu40' in said else 'governor', said)
        self.assertIn('revert --yes', said)
        self.assertEqual(self.files.read('sys/devices/system/cpu/cpu39/cpufreq/scaling_governor'), 'performance')
        self.assertEqual(self.files.read(broken), 'powersave')
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_a_revert_that_fails_keeps_the_backup(self):
        self.plant('amd_nps4')
        self.tune('apply', '--yes')
        self.files.broken.add('proc/sys/vm/swappiness')
        self.assertIn('swappiness', self.tune('revert', '--yes', status=1))
        self.files.broken.clear()
        self.tune('revert', '--yes')
        self.assertAsBefore()

    def test_text_that_somebody_edited_since_is_not_lost(self):
        self.plant('cloud_virtio')
        self.tune('apply', '--yes')
        self.files.replace('etc/default/irqbalance', 'IRQBALANCE_BANNED_CPULIST=2-7\n# mine\n')
        self.assertIn('edited since', self.tune('revert', '--yes', status=1))
        self.tune('revert', '--yes', '--force')
        self.assertAsBefore()

    def test_an_interrupt_number_dealt_anew_is_left_alone(self):
        self.plant('cloud_virtio')
        self.tune('apply', '--yes')
        text = self.files.read_raw('proc/interrupts').replace('virtio1-req.0', 'virtio9-req.0')
        self.files.replace('proc/interrupts', text)
        self.assertIn('belongs to another device', self.tune('revert', '--yes'))
        self.assertNotEqual(self.files.read('proc/irq/24/smp_affinity_list'), '0-7')

    def test_nonsense_is_refused_and_writes_nothing(self):
        self.plant('cloud_virtio')
        for arguments, sentence in ((['--cores', '6-9'], 'CPU 8-9 is not online'), (['--cores', 'two'], 'not a list'),
                                    (['--cores', '0-7'], 'leave at least one'), (['--cores', '0,2,4,6'], 'leave at least one'),
                                    (['--huge', '1=64'], 'NODE=MIB'), (['--huge', '0=64000'], 'leave no rest'),
                                    (['--huge', '0=64', '--huge-size', '1G'], 'no 1G pages'),
                                    (['--partition'], 'not cgroup v2'), (['--plan', '/nowhere'], '--plan')):
            self.assertIn(sentence, self.tune('apply', '--yes', *arguments, status=2))
        self.assertAsBefore()

    def test_json_names_each_setting(self):
        self.plant('laptop')
        found = json.loads(self.tune('show', '--json'))
        governors = [s for s in found['settings'] if s['name'] == 'governor']
        self.assertEqual([s['member'] for s in governors], [1, 2, 3, 5, 6, 7])
        self.assertTrue(any('fine for development' in note for note in found['notes']))

    def test_the_program_itself_on_plain_files(self):
        self.plant('amd_nps4')
        program = [sys.executable, os.path.join(ROOT, 'scripts/tune-cores')]
        for verb, status in (('verify', 1), ('apply', 0), ('verify', 0), ('revert', 0)):
            done = subprocess.run([*program, verb, '--yes', '--root', self.root], capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertAsBefore()


class Lists(unittest.TestCase):
    def test_lists_and_masks(self):
        self.assertEqual(cpus.parse_list('0,2-4\n'), [0, 2, 3, 4])
        self.assertEqual(cpus.list_text([4, 3, 2, 0]), '0,2-4')
        self.assertEqual(cpus.mask_text([0, 32, 67]), '8,00000001,00000001')
        self.assertEqual(cpus.parse_mask('8,00000001,00000001\n'), [0, 32, 67])
        self.assertEqual((cpus.list_text([]), cpus.mask_text([]), cpus.parse_mask('')), ('', '0', []))
        self.assertRaises(ValueError, cpus.parse_list, '4-2')


if __name__ == '__main__':
    unittest.main()
