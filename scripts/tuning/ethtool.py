"""What only ethtool reads and writes: channels, rings, coalescing, RSS table, steering rules; each with a way back."""
import re

from tuning.settings import KINDS, Refused, Setting

FLAGS = {'channels': ('-l', '-L'), 'rings': ('-g', '-G'), 'coalescing': ('-c', '-C')}


def read_numbers(host, nic, what):
    """(maximums, current): lower-case name -> number, without what the driver does not have."""
    try:
        text = host.run(['ethtool', FLAGS[what][0], nic])
    except Refused:
        return {}, {}
    most, now, into = {}, {}, None
    into = now
    for line in text.split('\n')[1:]:
        if line.startswith('Pre-set maximums'):
            into = most
        elif line.startswith('Current hardware settings'):
            into = now
        elif line.startswith('Adaptive RX:'):
            word = line.split()[2]
            if word in ('on', 'off'):
                now['adaptive-rx'] = word
        else:
            match = re.match(r'([\w -]+):\s+(\d+)$', line)
            if match:
                into[match.group(1).lower()] = int(match.group(2))
    return most, now


class Numbers(Setting):
    """Some numbers of one of FLAGS. What a driver refuses together (adaptive and a rate) goes back one by one."""
    kind = 'ethtool'

    def __init__(self, host, nic, what, values, why):
        self.nic, self.what, self.values = nic, what, values
        super().__init__(host, nic, what, self.text(values), why)
        self.key = f'ethtool:{nic}:{what}'

    @staticmethod
    def text(values):
        return ' '.join(f'{k} {v}' for k, v in sorted(values.items()))

    def current(self):
        now = read_numbers(self.host, self.nic, self.what)[1]
        return {k: now[k] for k in self.values if k in now}

    def now(self):
        return self.text(self.current())

    def save(self):
        return {'kind': self.kind, 'nic': self.nic, 'what': self.what, 'values': self.current()}

    def apply(self):
        change(self.host, self.nic, self.what, self.values)

    @staticmethod
    def restore(host, entry, force):
        now = read_numbers(host, entry['nic'], entry['what'])[1]
        for name in sorted(entry['values'], reverse=True):  # rx-usecs before adaptive-rx
            if now.get(name) != entry['values'][name]:
                change(host, entry['nic'], entry['what'], {name: entry['values'][name]})


def change(host, nic, what, values):
    host.run(['ethtool', FLAGS[what][1], nic] + [str(w) for pair in sorted(values.items()) for w in pair])


def read_table(host, nic):
    """(indirection table, key); an empty table: the driver has none."""
    try:
        text = host.run(['ethtool', '-x', nic])
    except Refused:
        return [], None
    rows = re.findall(r'^\s*\d+:((?:\s+\d+)+)$', text, re.M)
    key = re.search(r'^((?:[0-9a-f]{2}:)+[0-9a-f]{2})$', text, re.M)
    return [int(n) for row in rows for n in row.split()], key.group(1) if key else None


def is_equal(table, queues):
    return table == [i % queues for i in range(len(table))]


class RssTable(Setting):
    """Flows spread evenly over the first `queues` queues. ethtool can put back only even tables: others are refused."""
    kind = 'rss'

    def __init__(self, host, nic, queues):
        self.nic, self.queues = nic, queues
        super().__init__(host, nic, 'RSS table', f'even over {queues}', 'every worker gets its share of the flows')
        self.key = f'rss:{nic}'

    def now(self):
        table = read_table(self.host, self.nic)[0]
        queues = max(table, default=0) + 1
        return f'even over {queues}' if is_equal(table, queues) else 'uneven'

    def save(self):
        table = read_table(self.host, self.nic)[0]
        queues = max(table, default=0) + 1
        if not is_equal(table, queues):
            raise Refused(f'{self.nic}: its RSS table is uneven, and ethtool could not put it back; '
                          f'`ethtool -X {self.nic} default` first, if nobody needs it')
        return {'kind': self.kind, 'nic': self.nic, 'queues': queues}

    def apply(self):
        self.host.run(['ethtool', '-X', self.nic, 'equal', str(self.queues)])

    @staticmethod
    def restore(host, entry, force):
        if not is_equal(read_table(host, entry['nic'])[0], entry['queues']):
            host.run(['ethtool', '-X', entry['nic'], 'default'])
        if not is_equal(read_table(host, entry['nic'])[0], entry['queues']):
            host.run(['ethtool', '-X', entry['nic'], 'equal', str(entry['queues'])])


class RssKey(Setting):
    kind = 'rss-key'

    def __init__(self, host, nic, key):
        self.nic = nic
        super().__init__(host, nic, 'RSS key', key, 'as asked')
        self.key = f'rss-key:{nic}'

    def now(self):
        return read_table(self.host, self.nic)[1]

    def save(self):
        return {'kind': self.kind, 'nic': self.nic, 'hkey': self.now()}

    def apply(self):
        self.host.run(['ethtool', '-X', self.nic, 'hkey', self.wanted])

    @staticmethod
    def restore(host, entry, force):
        if read_table(host, entry['nic'])[1] != entry['hkey']:
            host.run(['ethtool', '-X', entry['nic'], 'hkey', entry['hkey']])


def read_rules(host, nic):
    """Rule number -> (flow type, destination port, queue)."""
    found = {}
    for part in host.run(['ethtool', '-n', nic]).split('Filter: ')[1:]:
        kind = re.search(r'Rule Type: (UDP|TCP) over IPv(\d)', part)
        port = re.search(r'Dest port: (\d+) mask: 0x0\b', part)
        queue = re.search(r'Action: Direct to queue (\d+)', part)
        if kind and port and queue:
            found[int(part.split()[0])] = kind.group(1).lower() + kind.group(2), int(port.group(1)), int(queue.group(1))
    return found


class FlowRule(Setting):
    """Datagrams to a worker's own port go to its queue. Going back removes what was not there, by content."""
    kind = 'flow-rule'

    def __init__(self, host, nic, flow, port, queue):
        self.nic, self.rule = nic, (flow, port, queue)
        super().__init__(host, nic, f'{flow} port {port}', f'queue {queue}', 'aimed traffic meets its owner')
        self.key = f'flow-rule:{nic}:{flow}:{port}'

    def now(self):
        queues = [q for f, p, q in read_rules(self.host, self.nic).values() if (f, p) == self.rule[:2]]
        return f'queue {queues[0]}' if queues else 'spread'

    def save(self):
        if self.now() != 'spread':
            raise Refused(f'{self.nic}: somebody steers {self.rule[0]} port {self.rule[1]} already; see ethtool -n')
        return {'kind': self.kind, 'nic': self.nic, 'rule': list(self.rule)}

    def apply(self):
        flow, port, queue = self.rule
        self.host.run(['ethtool', '-N', self.nic, 'flow-type', flow, 'dst-port', str(port), 'action', str(queue)])

    @staticmethod
    def restore(host, entry, force):
        for number, rule in read_rules(host, entry['nic']).items():
            if list(rule) == entry['rule']:
                host.run(['ethtool', '-N', entry['nic'], 'delete', str(number)])


KINDS.update({kind.kind: kind for kind in (Numbers, RssTable, RssKey, FlowRule)})
