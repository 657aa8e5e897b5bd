"""Network cards as sysfs shows them: driver, PCI address, node, queues, interrupts, and who reaches us by them."""
import ipaddress
import os
import re

PCI = r'[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]'
# "mlx5_comp3@pci:...", "ice-ens4f0-TxRx-3", "ens1f0-TxRx-3", "ens5-Tx-Rx-3", "virtio2-input.3", "virtio2-output.3"
QUEUE = re.compile(r'(?:comp|TxRx-|Tx-Rx-|input\.|output\.|rx-|tx-|fp-)(\d+)(?:@.*)?$', re.I)


class Nic:
    def __init__(self, host, name, pci):
        self.host, self.name, self.pci, self.base = host, name, pci, f'sys/bus/pci/devices/{pci}'
        files = host.files
        self.driver = files.link(f'{self.base}/driver')
        self.node = int(files.read(f'{self.base}/numa_node', '-1'))
        self.group = files.link(f'{self.base}/iommu_group')
        self.speed = int(files.read(f'sys/class/net/{name}/speed', '-1') or -1) if name else -1
        self.is_wireless = bool(name) and files.exists(f'sys/class/net/{name}/phy80211')

    def queues(self, way):
        """Numbers of the queues of one way, 'rx' or 'tx'."""
        return sorted(int(q[3:]) for q in self.host.files.list(f'sys/class/net/{self.name}/queues') if q.startswith(way))

    def irqs(self):
        """Queue -> its interrupts; those of no queue (link changes) are left out."""
        names, found = self.host.irq_names(), {}
        for irq in self.host.files.list(f'{self.base}/msi_irqs'):
            match = QUEUE.search(names.get(int(irq), ''))
            if match:
                found.setdefault(int(match.group(1)), []).append(int(irq))
        return found


def find_nics(host):
    found, taken = [], set()
    for name in host.files.list('sys/class/net'):
        parts = re.findall(PCI, host.files.real(f'sys/class/net/{name}'))
        if parts:
            found.append(Nic(host, name, parts[-1]))
            taken.add(parts[-1])
    for pci in host.files.list('sys/bus/pci/devices'):
        if pci not in taken and host.files.read(f'sys/bus/pci/devices/{pci}/class', '').startswith('0x0200'):
            found.append(Nic(host, None, pci))
    return found


def queue_irqs(host):
    return {irq for nic in find_nics(host) for irqs in nic.irqs().values() for irq in irqs}


def routes(host):
    """(network, interface) of IPv4 and IPv6."""
    for line in host.files.read('proc/net/route', '').split('\n')[1:]:
        w = line.split()
        if len(w) > 7:
            address, mask = (ipaddress.ip_address(bytes.fromhex(w[i])[::-1]) for i in (1, 7))
            yield ipaddress.ip_network(f'{address}/{mask}', strict=False), w[0]
    for line in host.files.read('proc/net/ipv6_route', '').split('\n'):
        w = line.split()
        if len(w) > 9 and w[9] != 'lo':
            yield ipaddress.ip_network((bytes.fromhex(w[0]), int(w[1], 16)), strict=False), w[9]


def ssh_peers(host):
    for line in host.files.read('proc/net/tcp', '').split('\n')[1:]:
        w = line.split()
        if len(w) > 3 and w[3] == '01' and w[1].endswith(':0016'):
            yield ipaddress.ip_address(bytes.fromhex(w[2].split(':')[0])[::-1])
    words = os.environ.get('SSH_CONNECTION', '').split()
    if words and host.files.root == '/':
        yield ipaddress.ip_address(words[0].partition('%')[0])


def carriers(host):
    """Interface -> why it must not vanish; bonds, bridges and VLANs stand for the cards below them."""
    table, found = list(routes(host)), {}
    for network, interface in table:
        if network.prefixlen == 0 and interface != 'lo':
            found[interface] = 'it carries the default route'
    for peer in ssh_peers(host):
        best = max(((n.prefixlen, i) for n, i in table if peer.version == n.version and peer in n), default=None)
        if best:
            found[best[1]] = f'an ssh session with {peer} runs over it'
    todo = list(found)
    while todo:
        upper = todo.pop()
        for name in host.files.list(f'sys/class/net/{upper}'):
            if name.startswith('lower_') and name[6:] not in found:
                found[name[6:]] = found[upper]
                todo.append(name[6:])
    return found
