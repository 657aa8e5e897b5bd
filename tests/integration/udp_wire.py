"""A client of memcached over UDP, from the text of protocol.txt ("UDP protocol"). It shares no code with the server."""
import socket
import struct
import time

HEADER = struct.Struct('>HHHH')  # request id, sequence, total, reserved
DATAGRAM_BYTES_MAX = 1400
SO_RCVBUFFORCE = 33


class Lost(Exception):
    """No whole answer in time; `got` is what did come: whole responses."""

    def __init__(self, got):
        super().__init__('answer incomplete after %d responses' % len(got))
        self.got = got


class UdpWire:
    def __init__(self, port, host='127.0.0.1', timeout=10, source=None):
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.timeout = timeout
        self.request_id = 0x00fe  # so that the high byte comes to be used soon

    def close(self):
        self.socket.close()

    def hold_bytes(self, count):
        """Asks for a receive buffer for answers of `count` bytes; False when this user may not have one."""
        wanted = 4 * count  # the kernel counts its own structures with each datagram
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, wanted)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= wanted

    def send_raw(self, datagram):
        self.socket.send(datagram)

    def send(self, commands, sequence=0, total=1, reserved=0):
        self.request_id = (self.request_id + 1) & 0xffff
        self.send_raw(HEADER.pack(self.request_id, sequence, total, reserved) + commands)
        return self.request_id

    def datagrams(self, request_id, seconds):
        """(sequence, total, body) of each datagram of this request, until nothing came for `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                datagram = self.socket.recv(65536)
            except TimeoutError:
                return
            if len(datagram) < HEADER.size or len(datagram) > DATAGRAM_BYTES_MAX:
                raise AssertionError('a datagram of %d bytes' % len(datagram))
            got_id, sequence, total, reserved = HEADER.unpack_from(datagram)
            if got_id == request_id:
                if reserved != 0:
                    raise AssertionError('reserved word %d' % reserved)
                yield sequence, total, datagram[HEADER.size:]
                until = time.monotonic() + seconds

    def responses(self, request_id, seconds):
        """Each response of a request, joined. One datagram is one response; parts of a longer one come in any order."""
        parts, of = {}, 0
        for sequence, total, body in self.datagrams(request_id, seconds):
            if parts and total != of or sequence >= max(total, 1) or sequence in parts:
                raise AssertionError('part %d of %d among the parts %r of %d' % (sequence, total, sorted(parts), of))
            parts[sequence], of = body, total
            if len(parts) >= total:
                yield b''.join(parts[i] for i in sorted(parts))
                parts = {}

    def ask(self, commands, count=1, **header):
        """The next `count` responses to one datagram of commands."""
        request_id, got = self.send(commands, **header), []
        for response in self.responses(request_id, self.timeout):
            got.append(response)
            if len(got) == count:
                return got
        raise Lost(got)

    def is_dropped(self, commands, later=b'version\r\n', **header):
        """Whether nothing comes back for it by the time that a later request has been answered."""
        dropped = self.send(commands, **header)
        asked = self.send(later)
        until = time.monotonic() + self.timeout
        while time.monotonic() < until:
            self.socket.settimeout(until - time.monotonic())
            got_id = HEADER.unpack_from(self.socket.recv(65536))[0]
            if got_id == dropped:
                return False
            if got_id == asked:
                return True
        raise Lost([])
