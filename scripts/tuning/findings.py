"""doctor: what stands between a host and full speed. Each finding: weight, sentence, the command that mends it."""
import argparse
import json
import re
import sys

from tuning import ethtool, nics
from tuning.files import Files
from tuning.machine import CPU, Machine, Workers
from tuning.settings import Refused, word
from tuning.tool import run_command

STOPS, SLOWS, SHAKES = 3, 2, 1  # does not run; a good part of the speed; the tail of the latencies
WEIGHTS = {STOPS: 'stops it', SLOWS: 'slows it', SHAKES: 'shakes it'}


def kernel_findings(host):
    release = host.files.read('proc/sys/kernel/osrelease', '0.0')
    version = [int(n) for n in re.findall(r'\d+', release)[:2]]
    if version < [6, 1]:
        yield STOPS, f'Linux {release} is too old for the io_uring path; it needs 6.1', 'install a newer kernel'
    if host.files.read('proc/sys/kernel/io_uring_disabled', '0') == '2':
        yield STOPS, 'io_uring is switched off for everybody', 'sysctl -w kernel.io_uring_disabled=0'
    clock = host.files.read('sys/devices/system/clocksource/clocksource0/current_clocksource', 'tsc')
    if clock not in ('tsc', 'kvm-clock', 'hyperv_clocksource_tsc_page', 'arch_sys_counter'):
        yield SLOWS, f'the kernel reads time from {clock}, which takes a microsecond a look', \
            'see why in `dmesg | grep -i tsc`; tsc=reliable on the kernel command line if the hardware is sound'
    if len(host.files.read('proc/swaps', '').split('\n')) > 1:
        yield SHAKES, 'there is swap, so cached items may go to disk', 'start millrace with -k, or `swapoff -a`'
    if int(host.files.read('proc/sys/net/core/somaxconn', '4096')) < 1024:
        yield SHAKES, 'short queue for new connections', 'sysctl -w net.core.somaxconn=4096'


def core_findings(host, workers):
    governors = {host.files.read(f'{CPU}/cpu{c}/cpufreq/scaling_governor') for c in workers.cpus} - {None, 'performance'}
    if governors:
        yield SLOWS, f'cores change their frequency ({", ".join(sorted(governors))})', 'scripts/tune-cores apply --yes'
    if host.files.read(f'{CPU}/intel_pstate/no_turbo') == '1' or host.files.read(f'{CPU}/cpufreq/boost') == '0':
        yield SLOWS, 'the processor may not go above its base frequency', \
            f'echo 0 > /{CPU}/intel_pstate/no_turbo (Intel), echo 1 > /{CPU}/cpufreq/boost (AMD)'
    deep = {host.files.read(f'{CPU}/cpu{c}/cpuidle/{s}/name') for c in workers.cpus
            for s in host.files.list(f'{CPU}/cpu{c}/cpuidle')
            if int(host.files.read(f'{CPU}/cpu{c}/cpuidle/{s}/latency', '0')) > 2
            and host.files.read(f'{CPU}/cpu{c}/cpuidle/{s}/disable') == '0'}
    if deep:
        yield SHAKES, f'idle cores sleep deeply ({", ".join(sorted(deep))})', 'scripts/tune-cores apply --yes'
    if workers.cpus and host.argument('isolcpus') is None:
        yield SHAKES, 'other programs run on the workers\' cores', 'scripts/tune-cores apply --yes --grub; update-grub; restart'
    if host.files.read('proc/sys/kernel/numa_balancing', '0') != '0' and len(host.nodes) > 1:
        yield SLOWS, 'the kernel moves memory between nodes behind our back', 'scripts/tune-cores apply --yes'
    thp = word(host.files.read('sys/kernel/mm/transparent_hugepage/enabled', '[madvise]'))
    if thp == 'never' and not any_huge_pages(host):
        yield SLOWS, 'no huge pages of any kind: most lookups miss the TLB', \
            'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled'


def any_huge_pages(host):
    return any(host.files.read(f'sys/devices/system/node/node{n}/hugepages/{s}/nr_hugepages', '0') != '0'
               for n in host.nodes for s in host.files.list(f'sys/devices/system/node/node{n}/hugepages'))


def card_findings(host, workers):
    for nic in nics.find_nics(host):
        if nic.name is None or nic.is_wireless:
            continue
        if nic.node >= 0 and workers.cpus and all(host.node_of(c) != nic.node for c in workers.cpus):
            yield SLOWS, f'{nic.name} is on node {nic.node}, no worker is', 'give millrace --cores of that node'
        most, now = ethtool.read_numbers(host, nic.name, 'channels')
        count, near = len(nic.queues('rx')), len([c for c in workers.cpus if nic.node in (-1, host.node_of(c))])
        if count < min(near, most.get('combined', near)):
            yield SLOWS, f'{nic.name} uses {count} of its queues, {near} workers are near it', \
                f'scripts/tune-queues apply --nic {nic.name} --yes'
        elif count == 1 and near > 1:
            yield SLOWS, f'{nic.name} has one queue: one core takes all its packets', \
                'ask for a card (or a machine type) with more queues' if host.is_guest() else 'use another card'
        strays = [q for q, irqs in nic.irqs().items() for irq in irqs if q in nic.queues('rx')
                  and host.files.read(f'proc/irq/{irq}/smp_affinity_list', '').find('-') >= 0]
        if strays and workers.cpus:
            yield SHAKES, f'interrupts of {nic.name} may come to any core', \
                f'scripts/tune-queues apply --nic {nic.name} --yes'
        widest, width = (host.files.read(f'{nic.base}/{f}_link_width') for f in ('max', 'current'))
        if width and widest and width.isdigit() and widest.isdigit() and 0 < int(width) < int(widest):
            yield SLOWS, f'{nic.name} sits in a slot of {width} lanes and has {widest}', 'move the card to a wider slot'


def dpdk_findings(host):
    """For DPDK only; said, but no fault of a host that serves over io_uring."""
    cards = [n for n in nics.find_nics(host) if n.name and not n.is_wireless]
    if cards and all(n.group is None for n in cards) and not host.is_guest():
        yield 'no IOMMU: intel_iommu=on iommu=pt on the kernel command line, or the firmware\'s switch'
    if not any_huge_pages(host):
        yield 'no huge pages are set aside: scripts/tune-cores apply --yes --huge NODE=MIB'
    if cards and not host.files.exists('sys/bus/pci/drivers/vfio-pci'):
        yield 'vfio-pci is not loaded: modprobe vfio-pci'


def main(arguments, files=None, run=None):
    parser = argparse.ArgumentParser(prog='doctor', description=__doc__)
    parser.add_argument('--root', default='/', metavar='DIR')
    parser.add_argument('--cores', metavar='LIST', help='CPUs of the workers')
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args(arguments)
    options.plan = None
    host = Machine(files or Files(options.root), run or run_command)
    try:
        workers = Workers(host, options)
    except Refused as refusal:
        print(f'doctor: {refusal}', file=sys.stderr)
        return 2
    found = list(kernel_findings(host))
    portable = host.is_portable()
    if not portable:
        found += list(core_findings(host, workers)) + list(card_findings(host, workers))
    found.sort(key=lambda f: -f[0])
    dpdk = [] if portable else list(dpdk_findings(host))
    if portable:
        found = [f for f in found if f[0] == STOPS]
    if options.json:
        print(json.dumps({'portable': portable, 'guest': host.is_guest(), 'dpdk': dpdk, 'findings': [
            {'weight': WEIGHTS[w], 'sentence': sentence, 'mend': mend} for w, sentence, mend in found]}, indent=1))
        return 1 if found else 0
    for weight, sentence, mend in found:
        print(f'{WEIGHTS[weight]}: {sentence}\n    {mend}')
    if not found:
        print('fine for development: a portable computer needs no tuning' if portable else 'nothing stands in the way')
    if host.is_guest():
        print('this is a virtual machine: its host decides about frequencies, sleep and which cores are near each other')
    for line in dpdk:
        print('for DPDK:', line)
    return 1 if found else 0
