"""Expands a tree (trees/*.tree, written by hand; trees/*.json, by capture.py) into a folder, with file names, links and contents
as Linux has them.

    PATH = TEXT             a file; {name=0-3,8} in PATH repeats it, {expression} in TEXT or PATH may use the names
    PATH -> TARGET          a symbolic link
    @include NAME           another manifest
    @irq NUMBERS PCI NAME   interrupts: /proc/interrupts, /proc/irq, the device's msi_irqs; n counts from 0; PCI may be -
    @nic NAME DEVICE-PATH DRIVER NODE QUEUES SPEED GROUP    a card with its folders under sys/devices, bus/pci, class/net
"""
import itertools
import json
import os
import re

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'trees')


def numbers(text):
    found = []
    for part in text.split(','):
        first, _, last = part.partition('-')
        found += range(int(first), int(last or first) + 1)
    return found


def fill(text, names):
    return re.sub(r'\{([^{}]+)\}', lambda m: str(eval(m.group(1), {'__builtins__': {}}, names)), text)


class Tree:
    def __init__(self, name):
        self.files, self.links, self.nics, self.irqs = {}, {}, {}, []
        self.read(name)
        online = numbers(self.files['sys/devices/system/cpu/online'])
        lines = [' ' * 11 + ''.join(f'CPU{c:<8}' for c in online)]
        for irq, label in self.irqs:
            self.files[f'proc/irq/{irq}/smp_affinity_list'] = self.files['sys/devices/system/cpu/online']
            lines.append(f'{irq:4}: ' + ''.join(f'{irq * 7 % 97 if c == irq % len(online) else 0:10} ' for c in online)
                         + f' IR-PCI-MSI {irq * 64}-edge      {label}')
        self.files['proc/interrupts'] = '\n'.join(lines + [' NMI: ' + ''.join(f'{0:10} ' for _ in online) +
                                                           '  Non-maskable interrupts'])

    def read(self, name):
        with open(os.path.join(HERE, name + '.tree'), encoding='utf-8') as file:
            for line in file:
                line = line.rstrip('\n')
                if not line or line.startswith('#'):
                    continue
                words = line.split()
                if words[0] == '@include':
                    self.read(words[1])
                elif words[0] == '@irq':
                    for n, irq in enumerate(numbers(words[1])):
                        self.irqs.append((irq, fill(words[3], {'n': n})))
                        if words[2] != '-':
                            self.files[f'{words[2]}/msi_irqs/{irq}'] = 'msix'
                elif words[0] == '@nic':
                    self.nic(*words[1:])
                else:
                    self.line(line)

    def line(self, line):
        target, separator = self.files, ' = '
        if ' -> ' in line and ' = ' not in line.split(' -> ')[0]:
            target, separator = self.links, ' -> '
        path, _, text = line.partition(separator)
        loops = re.findall(r'\{(\w+)=([\d,-]+)\}', path)
        path = re.sub(r'\{(\w+)=[\d,-]+\}', r'{\1}', path)
        for values in itertools.product(*(numbers(span) for _, span in loops)):
            names = {name: value for (name, _), value in zip(loops, values)}
            target[fill(path, names)] = fill(text, names).replace('\\n', '\n').replace('\\t', '\t')

    def nic(self, name, device, driver, node, queues, speed, group):
        at = 'sys/devices/' + device
        pci = re.findall(r'[0-9a-f]{4}:[0-9a-f:]+\.[0-7]', device)[-1]
        base = at[:at.index(pci) + len(pci)]  # virtio: the card's folder is a child of the PCI function's
        up = lambda path: '../' * path.count('/')
        self.files.update({f'{base}/class': '0x020000', f'{base}/numa_node': node, f'{base}/driver_override': '(null)',
                           f'{base}/vendor': '0x15b3' if driver.startswith('mlx') else '0x8086'})
        net = f'{at}/net/{name}'
        self.files.update({f'{net}/address': f'02:00:00:00:00:{len(self.nics):02x}', f'{net}/mtu': '1500',
                           f'{net}/speed': speed, f'{net}/operstate': 'up', f'{net}/gro_flush_timeout': '0',
                           f'{net}/napi_defer_hard_irqs': '0', f'{net}/carrier': '1'})
        for q in range(int(queues)):
            self.queue(net, q)
        self.links[f'{base}/driver'] = f'{up(base + "/driver")}sys/bus/pci/drivers/{driver}'
        self.links[f'sys/bus/pci/devices/{pci}'] = f'../../../../{base}'
        self.links[f'sys/bus/pci/drivers/{driver}/{pci}'] = f'../../../../../{base}'
        self.links[f'sys/class/net/{name}'] = f'../../../{net}'
        for action in 'bind', 'unbind':
            self.files[f'sys/bus/pci/drivers/{driver}/{action}'] = ''
        self.files['sys/bus/pci/drivers_probe'] = ''
        if group != '-':
            self.links[f'{base}/iommu_group'] = f'{up(base + "/x")}sys/kernel/iommu_groups/{group}'
            self.files[f'sys/kernel/iommu_groups/{group}/type'] = 'DMA-FQ'
            self.links[f'sys/kernel/iommu_groups/{group}/devices/{pci}'] = f'../../../../../{base}'
        self.nics[name] = {'driver': driver, 'queues': int(queues), 'pci': pci, 'net': net}

    def queue(self, net, q):
        self.files.update({f'{net}/queues/rx-{q}/rps_cpus': '0', f'{net}/queues/rx-{q}/rps_flow_cnt': '0',
                           f'{net}/queues/tx-{q}/xps_cpus': '0'})

    def expand(self, root):
        for path, text in self.files.items():
            whole = os.path.join(root, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            with open(whole, 'w', encoding='utf-8') as file:
                file.write(text + '\n' if text else '')
        for path, target in self.links.items():
            whole = os.path.join(root, path)
            os.makedirs(os.path.dirname(whole), exist_ok=True)
            os.symlink(target, whole)


class Captured:
    """A host as capture.py wrote it down."""
    def __init__(self, name):
        with open(os.path.join(HERE, name + '.json'), encoding='utf-8') as file:
            found = json.load(file)
        self.files, self.links, self.folders, self.nics = (found[k] for k in ('files', 'links', 'folders', 'nics'))

    def expand(self, root):
        for folder in self.folders:
            os.makedirs(os.path.join(root, folder), exist_ok=True)
        for path, text in self.files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8', newline='') as file:
                file.write(text)
        for path, target in self.links.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            os.symlink(target, os.path.join(root, path))


def load(name):
    return Captured(name) if os.path.exists(os.path.join(HERE, name + '.json')) else Tree(name)


def snapshot(root):
    """Everything that can differ: kind, mode, content, links, folders."""
    found = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if os.path.islink(path):
                found[os.path.relpath(path, root)] = 'link', os.readlink(path)
            elif os.path.isdir(path):
                found[os.path.relpath(path, root)] = 'folder', mode
            else:
                with open(path, 'rb') as file:
                    found[os.path.relpath(path, root)] = mode, file.read()
    return found
