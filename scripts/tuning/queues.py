"""tune-queues: how the queues of a network card should stand to the workers. docs/tuning.md says why of each."""
from tuning import binding, cpus, ethtool, nics
from tuning.machine import Workers
from tuning.settings import IRQ_REFUSALS, KernelFile, Refused
from tuning.tool import Tool, parser_of


def chosen_nics(host, options):
    found = nics.find_nics(host)
    if not options.nic:
        if options.verb == 'apply':
            raise Refused('say which card: --nic ' + ', --nic '.join(n.name or n.pci for n in found))
        return [n for n in found if n.name and not n.is_wireless]
    by_word = {n.name: n for n in found} | {n.pci: n for n in found}
    unknown = [word for word in options.nic if word not in by_word]
    if unknown:
        raise Refused(f'there is no network card {unknown[0]}; there are {", ".join(n.name or n.pci for n in found)}')
    return [by_word[word] for word in options.nic]


def near(host, nic, workers):
    """The workers whose cores get this card's queues: those of its node, or all when it has none there."""
    local = [c for c in workers.cpus if nic.node < 0 or host.node_of(c) == nic.node]
    return local or workers.cpus


def queue_count(host, nic, workers, options):
    """How many queues it should have; None: the driver has no say."""
    most, _ = ethtool.read_numbers(host, nic.name, 'channels')
    wanted = options.queues or len(near(host, nic, workers))
    if options.queues and options.queues > most.get('combined', options.queues):
        raise Refused(f'{nic.name} has at most {most["combined"]} queues')
    return max(1, min(wanted, most['combined'])) if 'combined' in most else None


def count_settings(host, nic, workers, options):
    """A table that names a queue holds it: so a smaller table goes before a smaller count, a larger one after."""
    count = queue_count(host, nic, workers, options)
    if count is None:
        return
    channels = ethtool.Numbers(host, nic.name, 'channels', {'combined': count}, 'one for each worker near the card')
    table, _ = ethtool.read_table(host, nic.name)
    settings = [channels]
    if table:
        settings.insert(0 if count <= max(table) else 1, ethtool.RssTable(host, nic.name, count))
    yield from settings


def card_settings(host, nic, options):
    most, now = ethtool.read_numbers(host, nic.name, 'rings')
    rings = {way: min(options.ring, most[way]) for way in ('rx', 'tx') if way in most}
    if rings:
        yield ethtool.Numbers(host, nic.name, 'rings', rings, 'room for a burst while a worker is busy')
    now = ethtool.read_numbers(host, nic.name, 'coalescing')[1]
    wanted = {'adaptive-rx': 'off', 'rx-usecs': options.rx_usecs}
    wanted = {k: v for k, v in wanted.items() if k in now}
    if wanted and options.rx_usecs is not None:
        yield ethtool.Numbers(host, nic.name, 'coalescing', wanted, 'as asked')
    if options.rss_key:
        if ethtool.read_table(host, nic.name)[1] is None:
            raise Refused(f'{nic.name} has no RSS key that could be set')
        yield ethtool.RssKey(host, nic.name, options.rss_key)


def queue_settings(host, nic, workers, options):
    cores, irqs = near(host, nic, workers), nic.irqs()
    for queue in nic.queues('rx'):
        base = f'sys/class/net/{nic.name}/queues/rx-{queue}'
        for name in 'rps_cpus', 'rps_flow_cnt':
            if host.files.read(f'{base}/{name}') is not None:
                yield KernelFile(host, nic.name, f'{base}/{name}', '0', 'the card spreads flows already',
                                 form='mask' if name == 'rps_cpus' else 'word', name=name, member=queue)
    for queue in nic.queues('tx'):
        path = f'sys/class/net/{nic.name}/queues/tx-{queue}/xps_cpus'
        if cores and host.files.read(path) is not None:
            yield KernelFile(host, nic.name, path, cpus.mask_text([cores[queue % len(cores)]]),
                             'a worker sends through its own queue', form='mask', name=f'xps of queue {queue}')
    active, names = set(nic.queues('rx')), host.irq_names()
    for queue, numbers in irqs.items():
        for irq in numbers if cores and queue in active else []:
            yield KernelFile(host, nic.name, f'proc/irq/{irq}/smp_affinity_list', str(cores[queue % len(cores)]),
                             'the interrupt comes where its worker runs', form='list', name=f'queue {queue}, {names[irq]}',
                             may_refuse=IRQ_REFUSALS, tag=names[irq])
    if options.busy_poll_us:
        for name, value in ('napi_defer_hard_irqs', '2'), ('gro_flush_timeout', '20000'):
            if host.files.exists(f'sys/class/net/{nic.name}/{name}'):
                yield KernelFile(host, nic.name, f'sys/class/net/{nic.name}/{name}', value, 'no interrupt while it is polled',
                                 name=name)


def host_settings(host, options):
    path = 'proc/sys/net/core/rps_sock_flow_entries'
    if host.files.exists(path):
        yield KernelFile(host, 'kernel', path, '0', 'no core looks up where a flow was read last')
    if options.busy_poll_us:
        for name in 'busy_read', 'busy_poll':
            if host.files.exists(f'proc/sys/net/core/{name}'):
                yield KernelFile(host, 'kernel', f'proc/sys/net/core/{name}', str(options.busy_poll_us), 'as asked')


def plan(host, options):
    workers, chosen = Workers(host, options), chosen_nics(host, options)
    if options.driver == 'vfio-pci':
        if not options.nic:
            raise Refused('--driver: say which card with --nic')
        notes = [note for n in chosen if n.driver != 'vfio-pci' for note in binding.check(host, n, options.force)]
        options.nic = [n.pci for n in chosen]  # the name goes with the driver
        return [lambda: [binding.Driver(host, n.pci, 'vfio-pci') for n in chosen]], notes, []
    for nic in chosen:
        if nic.name is None:
            raise Refused(f'{nic.pci} belongs to {nic.driver}: its queues are DPDK\'s business')
    notes = []
    if not workers.cpus:
        notes.append('there is one core, so there is nothing to map queues to')
    for nic in chosen:
        if nic.node >= 0 and workers.cpus and all(host.node_of(c) != nic.node for c in workers.cpus):
            notes.append(f'{nic.name} is on node {nic.node}, no worker is: every packet crosses between the nodes')
    phases = [lambda: list(host_settings(host, options))]
    for nic in chosen:
        phases += [lambda nic=nic: list(count_settings(host, nic, workers, options)),
                   lambda nic=nic: list(card_settings(host, nic, options)),
                   lambda nic=nic: list(queue_settings(host, nic, workers, options))]
        if options.aim_port:
            count = queue_count(host, nic, workers, options) or len(nic.queues('rx'))
            phases.append(lambda nic=nic, count=count: [
                ethtool.FlowRule(host, nic.name, flow, options.aim_port + q, q) for q in range(count)
                for flow in ('udp4', 'udp6')])
    advice = ['irqbalance must leave these alone: tune-cores bans the workers\' CPUs, '
              f'IRQBALANCE_ARGS="{" ".join(sorted({"--banmod=" + n.driver for n in chosen if n.driver}))}" the cards'
              ] if host.files.exists('etc/default/irqbalance') else []
    return phases, notes, advice


def main(arguments, files=None, run=None):
    parser = parser_of('tune-queues', __doc__)
    parser.add_argument('--nic', action='append', metavar='NAME', help='a card: name or PCI address; may be repeated')
    parser.add_argument('--queues', type=int, help='how many (default: one for each worker near the card)')
    parser.add_argument('--ring', type=int, default=2048, help='descriptors of each ring, as far as the card goes (2048)')
    parser.add_argument('--rx-usecs', type=int, help='interrupts wait at most so long (default: as it is)')
    parser.add_argument('--rss-key', metavar='HEX:..', help='key of the flow hash (default: as it is)')
    parser.add_argument('--aim-port', type=int, metavar='PORT', help='UDP ports PORT, PORT+1, ... to queue 0, 1, ...')
    parser.add_argument('--busy-poll-us', type=int, metavar='US', help='sockets poll so long before they sleep')
    parser.add_argument('--driver', choices=['vfio-pci'], help='give the card to DPDK; revert gives it back')
    tool = Tool('tune-queues', parser, arguments, plan, files, run)
    return tool.run()
