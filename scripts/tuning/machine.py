"""What a host is: CPUs, cores, nodes, interrupts, command line. Reads only; carries the command runner."""
import re
import sys

from tuning import cpus
from tuning.settings import Refused

PORTABLE = {'8', '9', '10', '11', '14', '30', '31', '32'}  # SMBIOS chassis types with a battery
CPU, NODE = 'sys/devices/system/cpu', 'sys/devices/system/node'


class Machine:
    def __init__(self, files, run):
        self.files, self.run = files, run
        self.online = cpus.parse_list(files.read(f'{CPU}/online', ''))
        self.nodes = {}
        for name in files.list(NODE):
            if re.fullmatch(r'node\d+', name):
                self.nodes[int(name[4:])] = cpus.parse_list(files.read(f'{NODE}/{name}/cpulist', ''))
        if not self.nodes:
            self.nodes = {0: self.online}
        self.cmdline = files.read('proc/cmdline', '').split()

    def siblings(self, cpu):
        text = self.files.read(f'{CPU}/cpu{cpu}/topology/thread_siblings_list')
        return [c for c in cpus.parse_list(text) if c in self.online] if text else [cpu]

    def node_of(self, cpu):
        return next((node for node, members in self.nodes.items() if cpu in members), 0)

    def cores(self):
        """First hardware threads, by node: where Millrace puts workers when it may use everything."""
        return [c for node in sorted(self.nodes) for c in self.nodes[node]
                if c in self.online and self.siblings(c)[0] == c]

    def irq_names(self):
        found = {}
        for line in self.files.read('proc/interrupts', '').split('\n'):
            match = re.match(r'\s*(\d+):(?:\s+\d+)+\s+(.*)', line)
            if match:
                found[int(match.group(1))] = re.split(r'\s{2,}', match.group(2))[-1].split()[-1]
        return found

    def is_portable(self):
        return (self.files.read('sys/class/dmi/id/chassis_type') in PORTABLE
                or any(n.startswith('BAT') for n in self.files.list('sys/class/power_supply')))

    def is_guest(self):
        return ' hypervisor' in self.files.read('proc/cpuinfo', '')

    def argument(self, name):
        return next((w.partition('=')[2] for w in self.cmdline if w.partition('=')[0] == name), None)


class Workers:
    """cpus: the workers', in their order; apart: these and their SMT siblings; rest: who does everything else."""

    def __init__(self, machine, options):
        self.node_bytes = {}
        if options.cores:
            try:
                self.cpus = cpus.parse_list(options.cores)
            except ValueError:
                raise Refused(f'--cores {options.cores}: not a list such as 2-7,10')
        elif options.plan:
            self.cpus = self.read_plan(options.plan)
        else:
            # As the server would choose, less one core of each node for interrupts, sshd and the kernel's threads.
            keep = set()
            for node in machine.nodes:
                keep.update([c for c in machine.cores() if machine.node_of(c) == node][:1])
            if len(machine.nodes) > 1 and len(keep) == len(machine.cores()):
                keep = set(machine.cores()[:1])
            self.cpus = [c for c in machine.cores() if c not in keep]
        if options.plan:  # said by its meaning, so that verify need not read it again
            options.cores, options.plan = cpus.list_text(self.cpus), None
        unknown = [c for c in self.cpus if c not in machine.online]
        if unknown:
            raise Refused(f'CPU {cpus.list_text(unknown)} is not online; there are {cpus.list_text(machine.online)}')
        self.apart = sorted({s for c in self.cpus for s in machine.siblings(c)})
        self.rest = [c for c in machine.online if c not in self.apart]
        if self.cpus and not self.rest:
            raise Refused('all cores would be set apart; leave at least one for the kernel and its interrupts')

    def read_plan(self, path):
        try:
            with (sys.stdin if path == '-' else open(path, encoding='utf-8')) as file:
                text = file.read()
        except OSError as error:
            raise Refused(f'--plan: {error}')
        found = [int(m.group(1)) for m in re.finditer(r'^ *\d+ +(\d+) +\d+ +\d+ +\d+ +[\d.]+ \w+ ', text, re.M)]
        units = {'KiB': 1 << 10, 'MiB': 1 << 20, 'GiB': 1 << 30, 'TiB': 1 << 40}
        for m in re.finditer(r'^node (\d+): .*, ([\d.]+) (\w+) reserved', text, re.M):
            self.node_bytes[int(m.group(1))] = int(float(m.group(2)) * units[m.group(3)])
        if not found:
            raise Refused(f'--plan {path}: that is not what `millrace --show-plan` prints')
        return found
