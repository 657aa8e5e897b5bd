"""A connection that speaks bytes: what a test sends is what the server gets, in the pieces in which it was sent."""
import os
import select
import socket
import struct


class Closed(Exception):
    """The server closed the connection before what was waited for had come; `got` is what came."""

    def __init__(self, got):
        super().__init__('connection closed after %r' % got[-200:])
        self.got = got


class Wire:
    """One connection. Reads wait up to `timeout` seconds: a limit for hangs, never a measurement."""

    def __init__(self, port=None, unix_path=None, host='127.0.0.1', timeout=30, receive_buffer=None):
        family = socket.AF_UNIX if unix_path else socket.AF_INET6 if ':' in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(timeout)
            self.socket.connect(unix_path or (host, port))
            if not unix_path:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise
        self.unread = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Goes away with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data = b''
        if not data:
            raise Closed(bytes(self.unread))
        self.unread += data

    def read(self, count):
        while len(self.unread) < count:
            self._receive()
        data = bytes(self.unread[:count])
        del self.unread[:count]
        return data

    def line(self):
        """The next line, without its CRLF."""
        start = 0
        while True:
            at = self.unread.find(b'\r\n', start)
            if at >= 0:
                return self.read(at + 2)[:-2]
            start = max(0, len(self.unread) - 1)
            self._receive()

    def until_closed(self):
        """Everything up to the server's end of stream."""
        try:
            while True:
                self._receive()
        except Closed:
            data = bytes(self.unread)
            self.unread.clear()
            return data

    def is_quiet(self, seconds=0.05):
        """Nothing has come, and nothing comes for a moment."""
        return not self.unread and not select.select([self.socket], [], [], seconds)[0]

    def ask(self, data):
        """One request, one line of answer."""
        self.send(data)
        return self.line()

    def store(self, key, value, flags=0, exptime=0, verb=b'set', tail=b''):
        return self.ask(b'%s %s %d %d %d%s\r\n%s\r\n' % (verb, key, flags, exptime, len(value), tail, value))

    def values(self):
        """The VALUE blocks of one answer up to END, as {key: (flags, value, cas or None)}."""
        found = {}
        while True:
            line = self.line()
            if line == b'END':
                return found
            words = line.split(b' ')
            if words[0] != b'VALUE' or len(words) not in (4, 5):
                raise AssertionError('expected VALUE or END, got %r' % line[:200])
            value = self.read(int(words[3]))
            if self.read(2) != b'\r\n':
                raise AssertionError('no CRLF behind the value of %r' % words[1])
            if words[1] in found:
                found.setdefault(b'', []).append(words[1])  # asked for twice
            found[words[1]] = (int(words[2]), value, int(words[4]) if len(words) == 5 else None)

    def fetch(self, *keys, verb=b'get'):
        self.send(verb + b' ' + b' '.join(keys) + b'\r\n')
        return self.values()

    def value(self, key):
        """The value of one key, None on a miss."""
        found = self.fetch(key)
        return found[key][1] if key in found else None

    def stats(self, words=b''):
        self.send(b'stats' + (b' ' + words if words else b'') + b'\r\n')
        found = {}
        while True:
            line = self.line()
            if line in (b'END', b'RESET', b'OK'):
                return found
            if not line.startswith(b'STAT '):
                raise AssertionError('expected STAT or END, got %r' % line)
            name, _, value = line[5:].decode().partition(' ')
            found[name] = value


def random_pieces(data, prng, most):
    """`data` cut at random bytes into at most `most` pieces."""
    if len(data) < 2:
        return [data]
    cuts = sorted({prng.randrange(1, len(data)) for _ in range(prng.randrange(most))})
    return [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])]


def blob(count, prng):
    """Random bytes, all 256 of them, CR LF and NUL among them."""
    return prng.randbytes(count) if count else b''


def remove_quietly(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
