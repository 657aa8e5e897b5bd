"""A connection that speaks memcached's binary protocol, byte by byte: what a test says is what is sent."""
import collections
import struct

from wire import Wire

HEADER = struct.Struct('>BBHBBHIIQ')
Reply = collections.namedtuple('Reply', 'opcode status extras key value opaque cas')

GET, SET, ADD, REPLACE, DELETE, INCR, DECR, QUIT, FLUSH = range(9)
GETQ, NOOP, VERSION, GETK, GETKQ, APPEND, PREPEND, STAT = range(0x09, 0x11)
SETQ, ADDQ, REPLACEQ, DELETEQ, INCRQ, DECRQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ = range(0x11, 0x1b)
TOUCH, GAT, GATQ = range(0x1c, 0x1f)
SASL_LIST, SASL_AUTH, SASL_STEP, GATK, GATKQ = range(0x20, 0x25)

OK, NOT_FOUND, EXISTS, TOO_LARGE, INVALID, NOT_STORED, NOT_NUMERIC = range(7)
AUTH_ERROR, AUTH_CONTINUE, UNKNOWN, OUT_OF_MEMORY = 0x20, 0x21, 0x81, 0x82

NO_CREATION = 0xffffffff


def packet(opcode, key=b'', extras=b'', value=b'', opaque=0, cas=0, body=None, magic=0x80):
    """`body`: what the header says of its length, when that is not the truth."""
    length = len(key) + len(extras) + len(value) if body is None else body
    return HEADER.pack(magic, opcode, len(key), len(extras), 0, 0, length, opaque, cas) + extras + key + value


def storing(opcode, key, value, flags=0, exptime=0, **options):
    return packet(opcode, key, struct.pack('>II', flags, exptime), value, **options)


def counting(opcode, key, delta, initial=0, exptime=NO_CREATION, **options):
    return packet(opcode, key, struct.pack('>QQI', delta, initial, exptime), **options)


def timed(opcode, key, exptime, **options):
    return packet(opcode, key, struct.pack('>I', exptime), **options)


def split_replies(data):
    """All replies of a byte string, which has to end with one."""
    replies = []
    while data:
        magic, opcode, key, extras, _, status, body, opaque, cas = HEADER.unpack(data[:HEADER.size])
        assert magic == 0x81, data[:40]
        rest = data[HEADER.size:HEADER.size + body]
        assert len(rest) == body, 'cut off'
        replies.append(Reply(opcode, status, rest[:extras], rest[extras:extras + key], rest[extras + key:], opaque, cas))
        data = data[HEADER.size + body:]
    return replies


class BinaryWire(Wire):
    def reply(self):
        head = self.read(HEADER.size)
        return split_replies(head + self.read(HEADER.unpack(head)[6]))[0]

    def ask(self, request):
        self.send(request)
        return self.reply()

    def until_noop(self, requests=b''):
        """Sends the requests and a noop, and returns all replies before the noop's."""
        self.send(requests + packet(NOOP, opaque=0xfeedface))
        replies = []
        while True:
            reply = self.reply()
            if reply.opcode == NOOP and reply.opaque == 0xfeedface:
                return replies
            replies.append(reply)

    def statistics(self, words=b''):
        self.send(packet(STAT, words))
        found = {}
        while True:
            reply = self.reply()
            if reply.status != OK:
                return reply.status
            if not reply.key:
                return found
            found[reply.key] = reply.value

    def last_replies(self):
        """Everything until the server closes."""
        return split_replies(self.until_closed())
