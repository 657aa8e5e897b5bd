#!/usr/bin/python3
"""memcached over UDP as Debian's memcached serves it, and the client of udp_wire.py with it.

It holds the client to a server that is right, and keeps what that server does where protocol.txt is silent: one datagram
or more for every VALUE, END with the last of them; sequence and reserved word of a request not looked at.
"""
import socket
import unittest

import millrace_server
from millrace_server import ServerCase, free_port
from udp_wire import HEADER, UdpWire

VALUE_A = b'VALUE a 0 1\r\nx\r\n'


def free_udp_port():
    while True:
        port = free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue


class UdpReference(ServerCase):
    wants_server = False
    server = None

    def setUp(self):
        self.port = free_udp_port()
        self.own = self.start('-U', self.port, '-I', '2m')
        self.addCleanup(self.own.stop)
        self.wire = UdpWire(self.port)
        self.addCleanup(self.wire.close)
        self.tcp = self.own.connect()
        self.addCleanup(self.tcp.close)
        self.tcp.store(b'a', b'x')

    def test_answers_are_those_of_tcp(self):
        for commands in (b'get a\r\n', b'get b\r\n', b'set b 5 0 2\r\nyz\r\n', b'get b\r\n', b'delete b\r\n', b'delete b\r\n',
                         b'incr a 1\r\n', b'nonsense\r\n', b'touch a 0\r\n', b'version\r\n'):
            by_udp = self.wire.ask(commands)[0]
            if commands.startswith((b'set', b'delete')):
                continue  # done once, it answers otherwise; the get behind it tells
            self.tcp.send(commands)
            self.assertEqual(by_udp, self.tcp.read(len(by_udp)), commands)
        self.assertTrue(self.tcp.is_quiet())

    def test_each_response_has_a_datagram(self):
        self.assertEqual(self.wire.ask(b'get a\r\nget b\r\ndelete a\r\n', 3), [VALUE_A + b'END\r\n', b'END\r\n', b'DELETED\r\n'])

    def test_each_value_has_a_datagram(self):
        self.assertEqual(self.wire.ask(b'get a b a\r\n', 2), [VALUE_A, VALUE_A + b'END\r\n'])

    def test_what_is_no_request_is_dropped(self):
        for total in (0, 2, 256, 65535):
            self.assertTrue(self.wire.is_dropped(b'get a\r\n', total=total), total)
        whole = HEADER.pack(0, 0, 1, 0)
        for cut in range(len(whole)):
            self.wire.send_raw(whole[:cut])
        self.assertTrue(self.wire.is_dropped(b''))
        self.assertTrue(self.wire.is_dropped(b'set a 0 0 1 noreply\r\nx\r\n'))
        self.assertEqual(self.wire.ask(b'get a\r\n'), [VALUE_A + b'END\r\n'])

    def test_sequence_and_reserved_word_are_not_looked_at(self):
        self.assertEqual(self.wire.ask(b'get a\r\n', sequence=7, reserved=9), [VALUE_A + b'END\r\n'])

    def test_long_values_are_joined(self):
        for size in (1300, 1392, 3000, 100000, 1 << 20):
            if not self.wire.hold_bytes(size):
                self.skipTest('no receive buffer for an answer of %d bytes' % size)
            value = self.prng.randbytes(size)
            self.tcp.store(b'long', value)
            self.assertEqual(self.wire.ask(b'get long\r\n'), [b'VALUE long 0 %d\r\n%s\r\nEND\r\n' % (size, value)])

    def test_malformed_datagrams_by_the_thousand(self):
        for count in range(3000):
            noise = bytearray(self.prng.randbytes(self.prng.randrange(0, 200)))
            if len(noise) >= 6 and noise[4:6] == b'\0\1':
                noise[5] = 2
            self.wire.send_raw(bytes(noise))
            if count % 50 == 49:  # often enough that the server's receive buffer holds what is between
                self.assertEqual(self.wire.ask(b'get a\r\n'), [VALUE_A + b'END\r\n'])


if __name__ == '__main__':
    millrace_server.run()
