"""Ethernet frames for 10.9.0.2 / fd00:9::2 that nobody should send: valid ones, and what becomes of them. A frame is a bytearray.

No frame claims to be the ARP or neighbour discovery of the stations that tests ask from: those could not be told from the truth.
"""

import socket
import struct

from kernel_peer import PEER4, PEER6

SOURCES4 = ["10.9.0.1", "10.9.0.77", "10.9.0.78"]
SOURCES6 = ["fd00:9::1", "fd00:9::77"]
ODD4 = ["0.0.0.0", "127.0.0.1", "255.255.255.255", "10.9.0.255", "224.0.0.1", "240.0.0.1", PEER4, "10.9.0.3", "8.8.8.8"]
ODD6 = ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.9.0.1", PEER6, "fd00:9::3", "2001:db8::1"]
HEADERS = (0, 43, 44, 50, 51, 58, 60, 135, 17, 6, 59, 255)  # what may follow an IPv6 header


def raw(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    if len(data) % 2:
        data = bytes(data) + b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Frames:
    def __init__(self, prng, card_mac, own_mac):
        self.prng = prng
        self.card, self.own = bytes.fromhex(card_mac.replace(":", "")), bytes.fromhex(own_mac.replace(":", ""))
        self.told = 0  # frames that may be believed and are then counted nowhere: ARP replies and neighbour advertisements
        self.kinds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("make_")]

    def next(self):
        return self.prng.choice(self.kinds)()[:self.prng.choice((1514, 1514, 1514, 9014))]

    # --- valid ones

    def ether(self, kind, payload):
        return bytearray(self.card + self.own + struct.pack(">H", kind) + payload)

    def ip4(self, payload, protocol=17, source=None, to=PEER4, fragment=0, options=b"", ttl=64):
        header = bytearray(struct.pack(">BBHHHBBH", 0x40 | (5 + len(options) // 4), 0, 20 + len(options) + len(payload),
                                       self.prng.randrange(65536), fragment, ttl, protocol, 0)
                           + raw(source or self.prng.choice(SOURCES4)) + raw(to) + options)
        header[10:12] = struct.pack(">H", checksum(header))
        return self.ether(0x0800, header + payload)

    def ip6(self, payload, following=17, source=None, to=PEER6, hops=64):
        return self.ether(0x86dd, struct.pack(">IHBB", 6 << 28, len(payload), following, hops)
                          + raw(source or self.prng.choice(SOURCES6)) + raw(to) + payload)

    def commands(self):
        key = b"hostile_%d" % self.prng.randrange(100)
        return self.prng.choice((b"get %s\r\n" % key, b"set %s 0 0 5\r\nvalue\r\n" % key, b"delete %s\r\n" % key, b"version\r\n",
                                 b"get %s %s no\r\n" % (key, key), b"set %s 0 0 900\r\n%s\r\n" % (key, b"v" * 900), b"stats\r\n"))

    def udp(self, data, source, to, ports=None):
        source_port, port = ports or (self.prng.randrange(1, 65536), 11211)
        head = struct.pack(">HHH", source_port, port, 8 + len(data))
        pseudo = raw(source) + raw(to) + struct.pack(">IHBB", 8 + len(data), 0, 0, 17) if ":" in to else \
            raw(source) + raw(to) + struct.pack(">BBH", 0, 17, 8 + len(data))
        return head + struct.pack(">H", checksum(pseudo + head + b"\0\0" + data) or 0xffff) + data

    def datagram(self, data=None, **words):
        """A whole frame: memcached's header and `data` in UDP."""
        if data is None:
            data = struct.pack(">HHHH", self.prng.randrange(65536), 0, 1, 0) + self.commands()
        if self.prng.random() < 0.5:
            source = words.pop("source", None) or self.prng.choice(SOURCES4)
            return self.ip4(self.udp(data, source, PEER4, **words), source=source)
        source = words.pop("source", None) or self.prng.choice(SOURCES6)
        return self.ip6(self.udp(data, source, PEER6, **words), source=source)

    def icmp(self, kind, code, rest):
        message = bytearray(struct.pack(">BBH", kind, code, 0) + rest)
        message[2:4] = struct.pack(">H", checksum(message))
        return self.ip4(message, 1)

    def icmp6(self, kind, code, rest, hops=255, source=None):
        source = source or "fd00:9::77"
        message = bytearray(struct.pack(">BBH", kind, code, 0) + rest)
        message[2:4] = struct.pack(">H", checksum(raw(source) + raw(PEER6) + struct.pack(">IHBB", len(message), 0, 0, 58) + message))
        return self.ip6(message, 58, source=source, hops=hops)

    def arp(self, operation=1):
        sender = self.prng.choice(("10.9.0.77", "10.9.0.78", "0.0.0.0"))
        return self.ether(0x0806, struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + self.own + raw(sender) + bytes(6) + raw(PEER4))

    def solicitation(self):
        return self.icmp6(135, 0, bytes(4) + raw(PEER6) + b"\x01\x01" + self.own)

    def valid(self):
        return self.prng.choice((
            self.datagram, self.datagram, lambda: self.icmp(8, 0, self.prng.randbytes(60)), self.arp, self.solicitation,
            lambda: self.icmp6(128, 0, self.prng.randbytes(60)), lambda: self.ip4(self.prng.randbytes(40), 6)))()

    # --- damage

    def make_bits_flipped(self):
        frame = self.valid()
        for _ in range(self.prng.randrange(1, 9)):
            bit = self.prng.randrange(0 if self.prng.random() < 0.1 else 96, 8 * len(frame))
            frame[bit // 8] ^= 1 << bit % 8
        return frame

    def make_cut(self):
        frame = self.valid()
        return frame[:self.prng.randrange(14, len(frame) + 1)]

    def make_padded(self):
        return self.valid() + self.prng.randbytes(self.prng.randrange(1, 600))

    def make_noise(self):
        return self.ether(self.prng.choice((0x0800, 0x0806, 0x86dd)), self.prng.randbytes(self.prng.randrange(0, 200)))

    def make_any_ethertype(self):
        frame = self.valid()
        frame[12:14] = struct.pack(">H", self.prng.randrange(65536))
        return frame

    def make_any_protocol(self):
        return self.ip4(self.prng.randbytes(self.prng.randrange(0, 80)), self.prng.randrange(256)) if self.prng.random() < 0.5 else \
            self.ip6(self.prng.randbytes(self.prng.randrange(0, 80)), self.prng.randrange(256))

    def make_wrong_length(self):
        """One length field is wrong, and every checksum of a header right."""
        frame = self.datagram()
        is_v4 = frame[12:14] == b"\x08\x00"
        at = self.prng.choice((14, 16, 38) if is_v4 else (18, 58))
        if at == 14:
            frame[14] = self.prng.randrange(256)
        else:
            frame[at:at + 2] = struct.pack(">H", self.prng.choice((0, 1, 7, 8, 19, 20, 21, 65535, self.prng.randrange(65536),
                                                                 self.prng.randrange(200))))
        if is_v4:
            header = max(20, (frame[14] & 15) * 4)
            frame[24:26] = b"\0\0"
            frame[24:26] = struct.pack(">H", checksum(frame[14:14 + header]))
        return frame

    def make_wrong_checksum(self):
        frame = self.datagram()
        at = self.prng.choice((24, 40)) if frame[12:14] == b"\x08\x00" else 60
        frame[at:at + 2] = self.prng.randbytes(2)
        return frame

    def make_odd_address(self):
        if self.prng.random() < 0.5:
            source, to = self.prng.choice((*ODD4, *SOURCES4)), self.prng.choice((PEER4, *ODD4))
            return self.ip4(self.udp(b"\0\1\0\0\0\1\0\0version\r\n", source, to), source=source, to=to, ttl=self.prng.choice((0, 64)))
        source, to = self.prng.choice((*ODD6, *SOURCES6)), self.prng.choice((PEER6, *ODD6))
        return self.ip6(self.udp(b"\0\1\0\0\0\1\0\0version\r\n", source, to), source=source, to=to, hops=self.prng.choice((0, 64)))

    def make_odd_ports(self):
        port = self.prng.choice((11211, 11211, 0, 1, 9, 65535, self.prng.randrange(65536)))
        return self.datagram(ports=(self.prng.choice((0, 0, 11211, 53, 65535)), port))

    def make_options(self):
        return self.ip4(self.prng.randbytes(20), options=bytes(self.prng.choice((0, 1, 7, 68, 131, 137, 148, self.prng.randrange(256)))
                                                              if i % 3 == 0 else self.prng.randrange(12)
                                                              for i in range(4 * self.prng.randrange(1, 11))))

    def make_fragment(self):
        """Few identifications, so that they meet: holes, overlaps, the end before the beginning, beyond 65535."""
        offset = self.prng.choice((0, 0, 1, 2, 3, 4, 8, 16, 180, 8000, 8191, self.prng.randrange(8192)))
        size = self.prng.choice((0, 1, 7, 8, 9, 16, 24, 32, 1400))
        more = self.prng.randrange(2)
        if self.prng.random() < 0.5:
            frame = self.ip4(self.prng.randbytes(size), self.prng.choice((17, 17, 1, 6)), source="10.9.0.77", fragment=more << 13 | offset)
            frame[18:20] = struct.pack(">H", self.prng.randrange(4))
            frame[24:26] = b"\0\0"
            frame[24:26] = struct.pack(">H", checksum(frame[14:34]))
            return frame
        return self.ip6(struct.pack(">BBHI", self.prng.choice((17, 17, 58, 6, 44, 0)), 0, offset << 3 | more, self.prng.randrange(4))
                        + self.prng.randbytes(size), 44, source="fd00:9::77")

    def make_vlan_stack(self):
        frame = self.valid()
        for _ in range(self.prng.randrange(1, 9)):
            frame[12:12] = struct.pack(">HH", self.prng.choice((0x8100, 0x88a8, 0x9100)), self.prng.randrange(65536))
        return frame if self.prng.random() < 0.8 else frame[:self.prng.randrange(14, len(frame))]

    def make_extension_chain(self):
        chain = b"".join(struct.pack(">BB", self.prng.choice(HEADERS), self.prng.choice((0, 0, 0, 1, 255))) + self.prng.randbytes(6)
                         for _ in range(self.prng.randrange(1, 20)))
        return self.ip6(chain, self.prng.choice(HEADERS))

    def make_icmp(self):
        """Sound checksums, any type; errors quote what was never sent."""
        quoted = bytes(self.datagram()[14:])[:self.prng.choice((0, 8, 20, 28, 48, 100))]
        rest = self.prng.randbytes(4) + (quoted if self.prng.random() < 0.7 else self.prng.randbytes(len(quoted)))
        if self.prng.random() < 0.5:
            return self.icmp(self.prng.choice((0, 3, 4, 5, 8, 11, 12, 13, 17, self.prng.randrange(256))), self.prng.randrange(16), rest)
        return self.icmp6(self.prng.choice((1, 2, 3, 4, 128, 129, 130, 133, 134, 137, self.prng.randrange(135))),
                          self.prng.randrange(8), rest, hops=self.prng.choice((64, 255)))

    def make_ndp(self):
        self.told += 1
        options = b"".join(bytes((self.prng.randrange(1, 6), self.prng.choice((0, 1, 1, 2, 255)))) + self.own
                           for _ in range(self.prng.randrange(0, 4)))
        return self.icmp6(self.prng.choice((135, 136)), self.prng.choice((0, 0, 1)), self.prng.randbytes(4)
                          + raw(self.prng.choice((PEER6, "fd00:9::77", "fd00:9::3", "ff02::1"))) + options,
                          hops=self.prng.choice((255, 255, 64)), source=self.prng.choice(("fd00:9::77", "::", "fe80::77")))

    def make_arp(self):
        self.told += 1
        frame = self.arp(self.prng.choice((0, 1, 1, 2, 3, 65535)))
        if self.prng.random() < 0.6:
            at = self.prng.randrange(14, 28)
            frame[at] = self.prng.randrange(256)
        return frame[:self.prng.choice((42, 42, 42, self.prng.randrange(14, 42)))]

    def make_memcached_header(self):
        return self.datagram(self.prng.choice((
            lambda: self.prng.randbytes(self.prng.randrange(0, 12)),
            lambda: struct.pack(">HHHH", 1, *(self.prng.choice((0, 1, 2, 3, 65535)) for _ in range(3))) + self.commands(),
            lambda: bytes(4) + b"\0\1\0\0" + self.prng.randbytes(self.prng.randrange(1, 300)),
            lambda: bytes(4) + b"\0\1\0\0" + b"\x80" + self.prng.randbytes(40),
            lambda: bytes(4) + b"\0\1\0\0" + self.commands()[:self.prng.randrange(1, 12)],
            lambda: bytes(4) + b"\0\1\0\0" + b"get " + b"k" * self.prng.randrange(240, 1200) + b"\r\n",
            lambda: bytes(4) + b"\0\1\0\0" + b"set k 0 0 %d\r\nx\r\n" % self.prng.choice((-1, 0, 2, 1 << 20, 1 << 32, 1 << 64)),
            lambda: bytes(4) + b"\0\1\0\0" + b"get a\r\n" * self.prng.randrange(1, 150)))())

    def make_too_long(self):
        return self.datagram(struct.pack(">HHHH", 1, 0, 1, 0) + b"get " + self.prng.randbytes(self.prng.randrange(1480, 8000)))
