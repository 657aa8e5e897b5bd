"""A captured tree that answers writes as the kernel does: choices, refusals, cgroup folders, drivers that let go."""
import errno
import os
import re
import shutil

from tuning import cpus
from tuning.files import Files

CGROUP_FILES = {'cpuset.cpus': '', 'cpuset.mems': '', 'cpuset.cpus.partition': 'member', 'cgroup.procs': ''}


class KernelTree(Files):
    def __init__(self, root, managed_irqs=(), broken=()):
        super().__init__(root)
        self.managed_irqs, self.broken, self.writes, self.parked = set(managed_irqs), set(broken), [], {}

    def write(self, name, text):
        value = text.strip()
        self.writes.append((name, value))
        if name in self.broken:
            raise OSError(errno.EINVAL, 'Invalid argument', name)
        irq = re.fullmatch(r'proc/irq/(\d+)/smp_affinity_list', name)
        if irq:
            if int(irq.group(1)) in self.managed_irqs:
                raise OSError(errno.EIO, 'Input/output error', name)
            cpus.parse_list(value)
        if name.endswith('energy_performance_preference') and value != 'performance':
            if self.read(name.replace('energy_performance_preference', 'scaling_governor')) == 'performance':
                raise OSError(errno.EBUSY, 'Device or resource busy', name)
        if name.endswith(('/bind', '/unbind')) or name.endswith('drivers_probe'):
            return self.drive(name, value)
        if name.endswith('driver_override'):
            text = (value or '(null)') + '\n'
        now = self.read_raw(name)
        if '[' in now:
            words = now.replace('[', '').replace(']', '').split()
            if value not in words:
                raise OSError(errno.EINVAL, 'Invalid argument', name)
            text = ' '.join(f'[{w}]' if w == value else w for w in words) + '\n'
        super().write(name, text)

    def make_folder(self, name):
        super().make_folder(name)
        if name.startswith('sys/fs/cgroup/'):
            for file, text in CGROUP_FILES.items():
                with open(self.path(f'{name}/{file}'), 'w', encoding='utf-8') as handle:
                    handle.write(text + '\n' if text else '\n')

    def remove_folder(self, name):
        shutil.rmtree(self.path(name)) if name.startswith('sys/fs/cgroup/') else super().remove_folder(name)

    def drive(self, name, pci):
        device = f'sys/bus/pci/devices/{pci}'
        driver = self.link(f'{device}/driver')
        if name.endswith('/unbind'):
            if driver != name.split('/')[4]:
                raise OSError(errno.ENODEV, 'No such device', name)
            os.unlink(self.path(f'{device}/driver'))
            os.unlink(self.path(f'sys/bus/pci/drivers/{driver}/{pci}'))
            net = self.path(f'{device}/net')
            if os.path.isdir(net):  # the card vanishes from class/net, and comes back with its driver
                kept = self.path('') + '.parked-' + pci
                os.rename(net, kept)
                links = {}
                for card in os.listdir(kept):
                    link = self.path(f'sys/class/net/{card}')
                    links[card] = os.readlink(link)
                    os.unlink(link)
                self.parked[pci] = driver, kept, net, links
            return
        override = self.read(f'{device}/driver_override')
        wanted = override if override != '(null)' else self.parked.get(pci, (None,))[0]
        if driver or not wanted:
            return
        real = self.real(device)
        os.symlink('../' * (real.count('/') + 1) + f'sys/bus/pci/drivers/{wanted}', self.path(f'{device}/driver'))
        os.symlink(f'../../../../../{real}', self.path(f'sys/bus/pci/drivers/{wanted}/{pci}'))
        if pci in self.parked and wanted == self.parked[pci][0]:
            _, kept, net, links = self.parked.pop(pci)
            os.rename(kept, net)
            for card, target in links.items():
                os.symlink(target, self.path(f'sys/class/net/{card}'))
