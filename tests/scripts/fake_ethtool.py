"""An ethtool for captured trees: keeps the cards' state in a dictionary and refuses what a driver refuses.

A new queue count makes and removes queue folders, as the kernel does.
"""
import os
import shutil

from tuning.settings import Refused


class FakeEthtool:
    def __init__(self, tree, root):
        self.tree, self.root, self.calls, self.broken = tree, root, [], set()
        self.cards = {name: {'max': card['queues'], 'combined': card['queues'], 'ring': 1024, 'tx_ring': 512,
                             'adaptive': 'on', 'usecs': 50, 'key': ':'.join(['6d', '5a'] * 20), 'rules': {},
                             'table': [] if card['queues'] == 1 else [i % card['queues'] for i in range(128)]}
                      for name, card in tree.nics.items()}

    def __call__(self, words):
        assert words[0] == 'ethtool', words
        flag, nic, rest = words[1], words[2], words[3:]
        self.calls.append(' '.join(words))
        if flag in self.broken or nic not in self.cards:
            raise Refused(f'netlink error: Invalid argument ({flag} {nic})')
        return getattr(self, {'-l': 'l', '-L': 'set_l', '-g': 'g', '-G': 'set_g', '-c': 'c', '-C': 'set_c', '-x': 'x',
                              '-X': 'set_x', '-n': 'n', '-N': 'set_n'}[flag])(nic, self.cards[nic], rest) or ''

    def l(self, nic, card, _):
        if card['max'] == 1:
            raise Refused('netlink error: Operation not supported')
        part = 'RX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t{}\n'
        return f'Channel parameters for {nic}:\nPre-set maximums:\n' + part.format(card['max']) + \
            'Current hardware settings:\n' + part.format(card['combined'])

    def set_l(self, nic, card, rest):
        count = int(rest[rest.index('combined') + 1])
        if not 1 <= count <= card['max'] or count <= max(card['table'], default=0):
            raise Refused('netlink error: requested channel counts are too low for existing indirection table settings')
        net = os.path.join(self.root, self.tree.nics[nic]['net'], 'queues')
        for queue in range(min(count, card['combined']), max(count, card['combined'])):
            for way in 'rx', 'tx':
                folder = f'{net}/{way}-{queue}'
                if count < card['combined']:
                    shutil.rmtree(folder)
                else:
                    os.mkdir(folder)
                    for name in ('rps_cpus', 'rps_flow_cnt') if way == 'rx' else ('xps_cpus',):
                        with open(f'{folder}/{name}', 'w', encoding='utf-8') as file:
                            file.write('0\n')
        card['combined'] = count

    def g(self, nic, card, _):
        part = 'RX:\t\t{}\nRX Mini:\tn/a\nRX Jumbo:\tn/a\nTX:\t\t{}\n'
        return f'Ring parameters for {nic}:\nPre-set maximums:\n' + part.format(4096, 4096) + \
            'Current hardware settings:\n' + part.format(card['ring'], card['tx_ring']) + 'RX Buf Len:\t\tn/a\n'

    def set_g(self, nic, card, rest):
        for word, name in ('rx', 'ring'), ('tx', 'tx_ring'):
            if word in rest:
                card[name] = int(rest[rest.index(word) + 1])

    def c(self, nic, card, _):
        return f'Coalesce parameters for {nic}:\nAdaptive RX: {card["adaptive"]}  TX: n/a\nstats-block-usecs: n/a\n\n' \
               f'rx-usecs: {card["usecs"]}\nrx-frames: n/a\n'

    def set_c(self, nic, card, rest):
        pairs = dict(zip(rest[::2], rest[1::2]))
        adaptive = pairs.get('adaptive-rx', card['adaptive'])
        if 'rx-usecs' in pairs and adaptive == 'on':
            raise Refused('rx interrupt throttling cannot be changed if adaptive-rx is enabled')
        card['adaptive'], card['usecs'] = adaptive, int(pairs.get('rx-usecs', card['usecs']))

    def x(self, nic, card, _):
        if not card['table']:
            return f'RX flow hash indirection table for {nic} with 1 RX ring(s):\nOperation not supported\n'
        rows = ''.join(f'{i:5}: ' + ' '.join(f'{q:5}' for q in card['table'][i:i + 8]) + '\n'
                       for i in range(0, len(card['table']), 8))
        return f'RX flow hash indirection table for {nic} with {card["combined"]} RX ring(s):\n{rows}RSS hash key:\n' \
               f'{card["key"]}\nRSS hash function:\n    toeplitz: on\n    xor: off\n'

    def set_x(self, nic, card, rest):
        if rest[0] == 'hkey':
            card['key'] = rest[1]
            return
        count = card['combined'] if rest[0] == 'default' else int(rest[1])
        if count > card['combined']:
            raise Refused('Cannot set RX flow hash configuration: Invalid argument')
        card['table'] = [i % count for i in range(len(card['table']))]

    def n(self, nic, card, _):
        text = f'{card["combined"]} RX rings available\nTotal {len(card["rules"])} rules\n\n'
        for number, (flow, port, queue) in sorted(card['rules'].items()):
            text += f'Filter: {number}\n\tRule Type: {flow[:3].upper()} over IPv{flow[3]}\n' \
                    f'\tSrc port: 0 mask: 0xffff\n\tDest port: {port} mask: 0x0\n\tAction: Direct to queue {queue}\n\n'
        return text

    def set_n(self, nic, card, rest):
        if rest[0] == 'delete':
            del card['rules'][int(rest[1])]
            return
        pairs = dict(zip(rest[::2], rest[1::2]))
        number = 1023 - len(card['rules'])
        card['rules'][number] = pairs['flow-type'], int(pairs['dst-port']), int(pairs['action'])
        return f'Added rule with ID {number}\n'
