#!/usr/bin/python3
"""memcached over UDP as Millrace serves it: what holds for memcached (test_udp_reference.py) holds for us, but for what
docs/compatibility.md names; who is answered with how much; addresses; real clients; millrace-load.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile

import millrace_server
import test_udp_reference
from millrace_server import ServerCase, generator, under_both
from start_case import StartCase
from test_listening import has_ipv6
from test_udp_reference import VALUE_A, free_udp_port
from udp_wire import UdpWire

try:
    import pylibmc
except ImportError:
    pylibmc = None


class UdpCase(ServerCase):
    wants_server = False
    server = None

    def serve(self, *words, listens=('-l', '127.0.0.1')):
        self.port = free_udp_port()
        self.own = self.start('-p', self.port, '-U', self.port, *listens, *words, port=self.port, listens=False)
        self.tcp = self.own.connect()
        self.addCleanup(self.tcp.close)
        self.tcp.store(b'a', b'x')

    def wire(self, host='127.0.0.1', source=None):
        wire = UdpWire(self.port, host, source=source)
        self.addCleanup(wire.close)
        return wire

    def counted(self, name):
        return int(self.tcp.stats()['millrace_udp_' + name])

    def end(self):
        self.tcp.close()
        self.own.assert_nothing_held()
        self.own.stop()


@under_both
class AsMemcached(test_udp_reference.UdpReference):
    # All answers to the commands of one datagram are one response, in as many datagrams as it needs.
    def test_each_response_has_a_datagram(self):
        self.assertEqual(self.wire.ask(b'get a\r\nget b\r\ndelete a\r\n'), [VALUE_A + b'END\r\nEND\r\nDELETED\r\n'])

    def test_each_value_has_a_datagram(self):
        self.assertEqual(self.wire.ask(b'get a b a\r\n'), [VALUE_A + VALUE_A + b'END\r\n'])


@under_both
class Answering(UdpCase):
    def test_statistics_say_what_is_served(self):
        self.serve()
        settings = self.tcp.stats(b'settings')
        self.assertEqual(settings['udpport'], str(self.port))
        self.assertEqual(settings['num_threads_per_udp'], settings['num_threads'])
        self.assertIn('VERSION', self.wire().ask(b'version\r\n')[0].decode())
        self.end()

    def test_strangers_never_get_more_than_they_sent(self):
        self.serve('--udp-allow', '127.0.0.2,127.0.1.0/24')
        self.tcp.store(b'long', b'v' * 5000)
        for source, gets_all in (('127.0.0.1', False), ('127.0.0.2', True), ('127.0.0.3', False), ('127.0.1.77', True)):
            wire = self.wire(source=source)
            for question, answer in ((b'get a\r\n', VALUE_A + b'END\r\n'),
                                     (b'get long\r\n', b'VALUE long 0 5000\r\n' + b'v' * 5000 + b'\r\nEND\r\n')):
                before = self.counted('drop_amplifies')
                if gets_all:
                    self.assertEqual(wire.ask(question), [answer], source)
                else:
                    self.assertTrue(wire.is_dropped(question, later=b'get b\r\n'), source)  # END is short enough
                    # Another worker may own b and answer first: the drop is counted when a's owner has answered.
                    self.wait_until(lambda: self.counted('drop_amplifies') > before, 'nothing was dropped')
                self.assertEqual(self.counted('drop_amplifies') - before, 0 if gets_all else 1, source)
            self.assertEqual(wire.ask(b'delete ' + b'k' * 100 + b'\r\n'), [b'NOT_FOUND\r\n'], source)
        self.end()

    def test_nobody_gets_more_when_none_are_allowed(self):
        self.serve('--udp-allow', 'none')
        self.assertTrue(self.wire().is_dropped(b'get a\r\n', later=b'get b\r\n'))
        self.end()

    def test_what_is_no_request_is_counted(self):
        self.serve()
        wire = self.wire()
        for datagram in (b'', b'\0\1\0\0\0\1\0', b'\0\1\0\0\0\2\0\0get a\r\n', b'\0\1\0\0\0\1\0\0set a 0 0 5\r\nx'):
            wire.send_raw(datagram)
        self.assertEqual(wire.ask(b'get a\r\n'), [VALUE_A + b'END\r\n'])
        self.wait_until(lambda: self.counted('received') == 5, 'not all datagrams have come')
        self.assertEqual([self.counted('drop_' + why) for why in ('no_header', 'not_whole', 'unfinished')], [2, 1, 1])
        self.end()

    def test_the_longest_request(self):
        self.serve()
        size = 65507 - 8 - len(b'set long 0 0 65000\r\n\r\n')
        value = self.prng.randbytes(size)
        self.assertEqual(self.wire().ask(b'set long 0 0 %d\r\n%s\r\n' % (size, value)), [b'STORED\r\n'])
        self.assertEqual(self.tcp.value(b'long'), value)
        self.end()

    def test_many_clients(self):
        self.serve()
        wires = [self.wire() for _ in range(50)]
        for round_ in range(5):
            asked = [(wire, wire.send(b'set k%d 0 0 3\r\n%03d\r\n' % (i, round_))) for i, wire in enumerate(wires)]
            for wire, request_id in asked:
                self.assertEqual(next(wire.responses(request_id, 10)), b'STORED\r\n')
            self.assertEqual({self.tcp.value(b'k%d' % i) for i in range(50)}, {b'%03d' % round_})
        self.end()

    def test_it_ends_while_it_is_asked(self):
        self.serve()
        wire = self.wire()
        for _ in range(200):
            wire.send(b'get a\r\n')
        self.tcp.close()
        self.own.stop()


class Addresses(StartCase):
    def ask(self, host, port):
        wire = UdpWire(port, host)
        self.addCleanup(wire.close)
        return wire.ask(b'version\r\n')

    def test_the_answer_comes_from_the_address_that_was_asked(self):
        port = free_udp_port()
        server = self.start('-p', port, '-U', port, '-l', '*', '--open', port=port, listens=False)
        for host in ('127.0.0.1', '127.7.8.9') + (('::1',) if has_ipv6() else ()):
            self.assertTrue(self.ask(host, port)[0].startswith(b'VERSION'), host)
        server.stop()

    def test_a_port_of_its_own_and_ports_of_addresses(self):
        own, named = free_udp_port(), free_udp_port()
        server = self.start('-p', self.port, '-U', own, '-l', '127.0.0.1,127.0.0.2:%d' % named, port=self.port, listens=False)
        for host, port in (('127.0.0.1', own), ('127.0.0.2', named)):
            self.assertTrue(self.ask(host, port)[0].startswith(b'VERSION'))
        server.stop()

    def test_udp_alone(self):
        port = free_udp_port()
        server = self.start('-p', 0, '-U', port, '-l', '127.0.0.1', listens=False, waits=False)
        self.wait_until(lambda: 'listening on 127.0.0.1:%d over UDP' % port in server.output(), 'it does not listen', 20)
        self.assertTrue(self.ask('127.0.0.1', port)[0].startswith(b'VERSION'))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', port), timeout=5)
        server.stop()

    def test_a_port_that_is_taken(self):
        port = free_udp_port()
        server = self.start('-U', port)
        self.assertRegex(self.refusal('-p', millrace_server.free_port(), '-U', port, '-l', '127.0.0.1'),
                         r'cannot listen on 127\.0\.0\.1:%d: another process does already' % port)
        server.stop()

    def test_a_unix_socket_turns_it_off(self):
        with tempfile.TemporaryDirectory() as folder:
            server = self.start('-U', free_udp_port(), unix_path=os.path.join(folder, 's'))
            self.assertIn('-U has no effect', server.output())
            self.assertEqual(server.stats(b'settings')['udpport'], '0')
            server.stop()


@under_both
class Clients(UdpCase):
    def test_pylibmc(self):
        """libmemcached sends over UDP what it need not hear about: it asks for no answer, and gets nothing."""
        if not pylibmc:
            self.skipTest('python3-pylibmc is not installed')
        self.serve()
        client = pylibmc.Client(['udp:127.0.0.1:%d' % self.port])
        value = 'v' * 1000
        self.assertTrue(client.set('written', value))
        self.wait_until(lambda: self.tcp.value(b'written') == value.encode(), 'it was not stored')
        self.assertTrue(client.delete('written'))
        self.wait_until(lambda: self.tcp.value(b'written') is None, 'it was not deleted')
        client.incr('written')
        self.end()

    def test_memcslap(self):
        if not shutil.which('memcslap'):
            self.skipTest('memcslap is not installed')
        self.serve('-m', '256')
        done = subprocess.run(['memcslap', '--servers=127.0.0.1:%d' % self.port, '--udp', '--test=set', '--concurrency=2',
                               '--execute-number=500'], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.wait_until(lambda: int(self.tcp.stats()['cmd_set']) > 100, 'its sets did not come')
        self.end()

    def test_millrace_load(self):
        if not os.path.exists(generator()):
            self.skipTest('no millrace-load at ' + generator())
        self.serve('-m', '128')
        with tempfile.NamedTemporaryFile(suffix='.json') as file:
            done = subprocess.run(
                [generator(), '--server', '127.0.0.1:%d' % self.port, '--udp', '--verify', '--keys', '500', '--key-bytes',
                 '8-60', '--value-bytes', '0=5,10=30,100=40,1300=5,3000=20,40000=5', '--ttl', '600-900', '--connections',
                 '8', '--mode', 'fill,get,mix', '--mix', 'get=40,set=10,add=5,append=1,cas=10,delete=10,touch=5,incr=10',
                 '--requests', '3000', '--read-through', '--seed', str(millrace_server.SEED), '--json', file.name],
                capture_output=True, text=True, timeout=60 * millrace_server.binary.patience)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            fill, get, mixed = json.load(file)['phases']
        self.assertEqual(fill['stored'], 500)
        self.assertEqual((get['hits'], get['misses']), (3000, 0))
        self.assertGreaterEqual(mixed['requests'], 3000)
        self.assertGreater(self.counted('sent'), 6500)
        self.end()


del StartCase

if __name__ == '__main__':
    millrace_server.run()
