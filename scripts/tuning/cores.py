"""tune-cores: which settings of CPUs, interrupts, memory and boot should be how. docs/tuning.md says why of each."""
import re

from tuning import cpus, nics
from tuning.machine import CPU, NODE, Workers
from tuning.settings import IRQ_REFUSALS, Folder, KernelFile, Refused, TextFile
from tuning.tool import Tool, parser_of

GRUB = 'etc/default/grub.d/60-millrace.cfg'
CGROUP = 'sys/fs/cgroup'
SYSCTLS = [
    ('kernel/numa_balancing', '0', 'it unmaps pages to see who touches them; partitions already lie on their node'),
    ('kernel/nmi_watchdog', '0', 'an interrupt on every core that cannot be held off'),
    ('vm/stat_interval', '10', 'statistics of every core are gathered less often'),
    ('vm/zone_reclaim_mode', '0', 'a full node is not swept while another has room'),
    ('vm/compaction_proactiveness', '0', 'pages are not moved about without need'),
    ('vm/swappiness', '1', 'a cache that is swapped out is no cache'),
]


def speed_settings(host, workers, latency_us):
    for cpu in workers.apart:
        base = f'{CPU}/cpu{cpu}/cpufreq'
        # Before the governor: under "performance" the kernel refuses to take any other preference back.
        if host.files.exists(f'{base}/energy_performance_preference'):
            yield KernelFile(host, 'frequency', f'{base}/energy_performance_preference', 'performance',
                             'the processor is not to save energy here', name='preference', member=cpu)
        if host.files.exists(f'{base}/scaling_governor'):
            if 'performance' in host.files.read(f'{base}/scaling_available_governors', 'performance'):
                yield KernelFile(host, 'frequency', f'{base}/scaling_governor', 'performance',
                                 'a burst meets a core at full frequency', name='governor', member=cpu)
    for cpu in workers.cpus:
        for state in host.files.list(f'{CPU}/cpu{cpu}/cpuidle'):
            base = f'{CPU}/cpu{cpu}/cpuidle/{state}'
            if int(host.files.read(f'{base}/latency', '0')) > latency_us and host.files.exists(f'{base}/disable'):
                yield KernelFile(host, 'idle', f'{base}/disable', '1', f'waking takes more than {latency_us} us',
                                 name=f'{host.files.read(base + "/name", state)} off', member=cpu)


def interrupt_settings(host, workers):
    if not workers.cpus:
        return
    rest, queues = cpus.list_text(workers.rest), nics.queue_irqs(host)
    for irq, name in host.irq_names().items():
        path = f'proc/irq/{irq}/smp_affinity_list'
        text = host.files.read(path)
        if text is None or irq in queues:
            continue
        if set(cpus.parse_list(text)) & set(workers.apart) or irq_key(path, name) in host.kept_keys:
            yield KernelFile(host, 'interrupts', path, rest, 'no worker is interrupted for others', form='list',
                             name=f'{irq} {name}', may_refuse=IRQ_REFUSALS, tag=name)
    for path, form, text in (('proc/irq/default_smp_affinity', 'mask', cpus.mask_text(workers.rest)),
                             ('sys/devices/virtual/workqueue/cpumask', 'mask', cpus.mask_text(workers.rest)),
                             ('proc/sys/kernel/watchdog_cpumask', 'list', rest)):
        if host.files.exists(path):
            yield KernelFile(host, 'interrupts', path, text, 'and none that comes later', form=form)
    if host.files.exists('etc/default/irqbalance'):
        line = f'IRQBALANCE_BANNED_CPULIST={cpus.list_text(workers.apart)}'
        yield TextFile(host, 'interrupts', 'etc/default/irqbalance', lambda text: with_line(text, line), line,
                       'irqbalance would move them back')


def irq_key(path, name):
    return f'file:{path}:{name}'


def with_line(text, line):
    """The text with this assignment, in the place of an earlier one or at the end."""
    name = line.partition('=')[0]
    pattern = re.compile(rf'^{name}=.*$', re.M)
    if pattern.search(text):
        return pattern.sub(lambda _: line, text)
    return text + ('' if not text or text.endswith('\n') else '\n') + line + '\n'


def huge_pages(host, options):
    """Node -> how many, from --huge NODE=MIB,...; {}: nobody said how much."""
    size = {'2M': 2, '1G': 1024}[options.huge_size]
    wanted = {}
    for part in (options.huge or '').split(','):
        if part:
            match = re.fullmatch(r'(\d+)=(\d+)', part)
            if not match or int(match.group(1)) not in host.nodes:
                raise Refused(f'--huge {part}: say NODE=MIB, with a node of {sorted(host.nodes)}')
            wanted[int(match.group(1))] = -(-int(match.group(2)) // size)
    for node, count in wanted.items():
        total = re.search(r'MemTotal:\s+(\d+) kB', host.files.read(f'{NODE}/node{node}/meminfo', ''))
        if total and count * size * 1024 > int(total.group(1)) * 0.9:
            raise Refused(f'node {node} has {int(total.group(1)) >> 10} MiB; {count * size} MiB of huge pages leave no rest')
    return wanted


def memory_settings(host, workers, options):
    kib = {'2M': 2048, '1G': 1048576}[options.huge_size]
    for node, count in huge_pages(host, options).items():
        path = f'{NODE}/node{node}/hugepages/hugepages-{kib}kB/nr_hugepages'
        if not host.files.exists(path):
            raise Refused(f'this kernel has no {options.huge_size} pages on node {node}')
        yield KernelFile(host, 'memory', path, str(count), 'the store and DPDK take them from here',
                         name=f'{options.huge_size} pages, node {node}')
    thp = 'sys/kernel/mm/transparent_hugepage'
    for name, value, why in (('enabled', 'madvise', 'the store asks for them; others get no surprise'),
                             ('defrag', 'madvise', 'only who asks may wait for one')):
        if host.files.exists(f'{thp}/{name}'):
            yield KernelFile(host, 'memory', f'{thp}/{name}', value, why, name=f'transparent huge pages, {name}')
    if host.files.exists('sys/kernel/mm/ksm/run'):
        yield KernelFile(host, 'memory', 'sys/kernel/mm/ksm/run', '0', 'no thread compares our pages')
    for name, value, why in SYSCTLS:
        if host.files.exists(f'proc/sys/{name}'):
            yield KernelFile(host, 'kernel', f'proc/sys/{name}', value, why, name=name.replace('/', '.'))


def boot_words(host, workers, options):
    words = []
    if workers.cpus:
        apart = cpus.list_text(workers.apart)
        words = [f'isolcpus=managed_irq,domain,{apart}', f'nohz_full={apart}', f'rcu_nocbs={apart}',
                 f'irqaffinity={cpus.list_text(workers.rest)}']
    pages = huge_pages(host, options)
    if pages:
        words += [f'hugepagesz={options.huge_size}', 'hugepages=' + ','.join(f'{n}:{c}' for n, c in sorted(pages.items()))]
    return words


def boot_settings(host, words):
    folder = GRUB.rpartition('/')[0]
    if not host.files.exists('etc/default'):
        raise Refused('--grub: there is no /etc/default here, so no grub to be told')
    if words:
        if folder and (not host.files.exists(folder) or f'folder:{folder}' in host.kept_keys):
            yield Folder(host, 'boot', folder, 'the place for the drop-in')
        text = f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {" ".join(words)}"\n'
        yield TextFile(host, 'boot', GRUB, lambda _: text, ' '.join(words), 'from the first moment on')


def partition_settings(host, workers):
    """A cgroup of its own whose CPUs the scheduler balances nobody onto. Phases: the folder makes the files."""
    if not host.files.exists(f'{CGROUP}/cgroup.controllers'):
        raise Refused('--partition: /sys/fs/cgroup is not cgroup v2')
    if 'cpuset' not in host.files.read(f'{CGROUP}/cgroup.subtree_control', '').split():
        raise Refused('--partition: first `echo +cpuset > /sys/fs/cgroup/cgroup.subtree_control`')
    group = f'{CGROUP}/millrace'
    mems = cpus.list_text({host.node_of(c) for c in workers.cpus})
    return [lambda: [Folder(host, 'cpuset', group, 'workers live in it')],
            lambda: [KernelFile(host, 'cpuset', f'{group}/{name}', value, why, form=form)
                     for name, value, form, why in (
                         ('cpuset.cpus', cpus.list_text(workers.apart), 'list', 'their CPUs'),
                         ('cpuset.mems', mems, 'list', 'their memory'),
                         ('cpuset.cpus.partition', 'isolated', 'word', 'and nobody else is balanced onto them'))
                     if host.files.exists(f'{group}/{name}')]]


def plan(host, options):
    workers = Workers(host, options)
    if workers.node_bytes and not options.huge:
        options.huge = ','.join(f'{node}={(amount + (1 << 20) - 1) >> 20}' for node, amount in sorted(workers.node_bytes.items()))
    words = boot_words(host, workers, options)
    notes, advice = [], []
    if not workers.cpus:
        notes.append('there is one core, so none is set apart')
    else:
        notes.append(f'workers on CPUs {cpus.list_text(workers.cpus)} (start millrace with --cores '
                     f'{cpus.list_text(workers.cpus)}); everything else on {cpus.list_text(workers.rest)}')
    idle = sorted(set(workers.apart) - set(workers.cpus))
    if idle:
        notes.append(f'CPUs {cpus.list_text(idle)} are hardware threads of workers\' cores and stay idle')
    if host.is_portable():
        notes.append('this is a portable computer: fine for development as it is')
    missing = [w for w in words if w not in host.cmdline]
    if missing and not options.grub:
        advice.append('kernel command line: ' + ' '.join(missing) + ' (--grub writes it)')
    if options.grub:
        advice.append('`update-grub`, then restart the host')
    if host.files.exists('etc/default/irqbalance'):
        advice.append('`systemctl try-restart irqbalance`')
    phases = [lambda: list(memory_settings(host, workers, options)),
              lambda: list(speed_settings(host, workers, options.latency_us)),
              lambda: list(interrupt_settings(host, workers))]
    if options.grub:
        phases.append(lambda: list(boot_settings(host, words)))
    if options.partition and workers.cpus:
        phases += partition_settings(host, workers)
    return phases, notes, advice


def main(arguments, files=None, run=None):
    parser = parser_of('tune-cores', __doc__)
    parser.add_argument('--latency-us', type=int, default=2, help='idle states that take longer to leave are switched off (2)')
    parser.add_argument('--huge', metavar='NODE=MIB,...', help='huge pages of each node (default: what --plan reserves)')
    parser.add_argument('--huge-size', choices=['2M', '1G'], default='2M')
    parser.add_argument('--grub', action='store_true', help=f'also write the kernel command line to /{GRUB}')
    parser.add_argument('--partition', action='store_true', help='also make the cgroup /sys/fs/cgroup/millrace')
    tool = Tool('tune-cores', parser, arguments, plan, files, run)
    tool.host.kept_keys = set(tool.backup.entries)
    return tool.run()
