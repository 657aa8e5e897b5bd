#!/usr/bin/env python3
"""Writes down what the tuning scripts read of this very host, as a tree for their tests: capture.py > trees/NAME.json

They are run as `show`, `apply` without --yes, and the doctor; nothing is written. What tells who and where the host is goes:
addresses, sockets, most of the command line.
"""
import contextlib
import io
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'scripts'))
from tuning import cores, findings, queues  # noqa: E402
from tuning.files import Files              # noqa: E402

KEPT_WORDS = ('isolcpus', 'nohz_full', 'rcu_nocbs', 'mitigations', 'console', 'quiet', 'hugepages', 'intel_iommu', 'iommu')
TEXTS = {
    'proc/net/tcp': '  sl  local_address rem_address   st\n',
    'proc/net/ipv6_route': '',
    'proc/net/route': 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n'
                      '{nic}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n',
}


class Recorder(Files):
    def __init__(self):
        super().__init__('/')
        self.files, self.links, self.folders = {}, {}, set()

    def keep(self, name):
        """Each step of a path as it is, links included; returns where it ends."""
        at = ''
        left = name.split('/')
        while left:
            at = os.path.normpath(os.path.join(at, left.pop(0)))
            path = '/' + at
            if os.path.islink(path):
                target = os.readlink(path)
                self.links[at] = target
                left = os.path.normpath(os.path.join(os.path.dirname(at), target)).split('/') + left
                at = ''
            elif os.path.isdir(path):
                self.folders.add(at)
        return at

    def exists(self, name):
        if super().exists(name):
            at = self.keep(name)
            if os.path.isfile('/' + at):
                self.files.setdefault(at, '')
        return super().exists(name)

    def read_raw(self, name):
        text = super().read_raw(name)
        self.files[self.keep(name)] = text
        return text

    def list(self, name):
        found = super().list(name)
        at = self.keep(name) if found else name
        for entry in found:
            if os.path.isfile('/' + self.keep(f'{at}/{entry}')):
                self.files.setdefault(self.keep(f'{at}/{entry}'), '')
        return found

    def link(self, name):
        self.keep(os.path.dirname(name))
        if os.path.lexists(self.path(name)):
            self.keep(name)
        return super().link(name)

    def real(self, name):
        self.keep(name)
        return super().real(name)


def refuse(words):
    from tuning.settings import Refused
    raise Refused('not asked: ' + ' '.join(words))


def main():
    files = Recorder()
    files.links = {}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        nics = [name for name in files.list('sys/class/net') if '/virtual/' not in files.real(f'sys/class/net/{name}')]
        for run, words in ((cores.main, ['show']), (cores.main, ['apply', '--huge', '0=64', '--grub']), (queues.main, ['show']),
                           (findings.main, ['--json'])):
            with contextlib.suppress(SystemExit):
                run(words, files=files, run=refuse)
    cards = {}
    for nic in nics:
        net = files.real(f'sys/class/net/{nic}')
        for queue in files.list(f'{net}/queues'):
            for knob in ('rps_cpus', 'rps_flow_cnt') if queue.startswith('rx') else ('xps_cpus',):
                with contextlib.suppress(OSError):
                    files.read_raw(f'{net}/queues/{queue}/{knob}')
        for knob in ('gro_flush_timeout', 'napi_defer_hard_irqs', 'mtu', 'operstate'):
            with contextlib.suppress(OSError):
                files.read_raw(f'{net}/{knob}')
        pci = re.findall(r'[0-9a-f]{4}:[0-9a-f:]+\.[0-7]', net)[-1]
        cards[nic] = {'driver': files.link(f'sys/bus/pci/devices/{pci}/driver'), 'pci': pci, 'net': net,
                      'queues': len([q for q in files.list(f'{net}/queues') if q.startswith('rx')])}
    for knob in 'busy_read', 'busy_poll':
        files.read(f'proc/sys/net/core/{knob}')
    for name, text in TEXTS.items():
        if name in files.files:
            files.files[name] = text.replace('{nic}', nics[0] if nics else 'lo')
    if 'proc/cmdline' in files.files:
        files.files['proc/cmdline'] = ' '.join(w for w in files.files['proc/cmdline'].split() if w.startswith(KEPT_WORDS)) + '\n'
    release = 'proc/sys/kernel/osrelease'
    files.files[release] = re.match(r'[\d.]+', files.files[release]).group() + '\n'
    json.dump({'files': files.files, 'links': files.links, 'folders': sorted(files.folders), 'nics': cards}, sys.stdout, indent=0,
              sort_keys=True)
    print()


if __name__ == '__main__':
    main()
