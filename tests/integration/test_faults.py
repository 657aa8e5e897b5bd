#!/usr/bin/python3
"""What goes wrong outside: killed, stopped under load, out of descriptors or of memory.

After each nothing is held (see millrace_server.py), the server lives, and no wait here is without an end.
"""
import os
import signal
import tempfile
import threading
import time

import millrace_server
from millrace_server import ServerCase, under_both
from wire import Closed, blob

MIB = 1 << 20


@under_both
class Ends(ServerCase):
    wants_server = False

    def test_killed_and_started_again_at_once(self):
        """On the same port and the same socket path, with connections of the dead one still about."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'socket')
            for place in {'port': millrace_server.free_port()}, {'unix_path': path}:
                clients = []
                for _ in range(4):
                    server = self.start(**place)
                    clients += [server.connect() for _ in range(8)]
                    for i, c in enumerate(clients[-8:]):
                        self.assertEqual(c.store(b'k%d' % i, b'x' * 50000), b'STORED')
                        c.send(b'get k%d\r\n' % i * 20 + b'set half 0 0 1000\r\n')
                    server.process.send_signal(signal.SIGKILL)
                    server.process.wait()
                server = self.start(**place)
                with server.connect() as c:
                    self.assertEqual(c.store(b'k', b'x'), b'STORED')
                    self.assertEqual(c.value(b'k'), b'x')
                for c in clients:
                    c.close()
                server.assert_nothing_held()
                server.stop()

    def test_stopped_under_load(self):
        """Status 0, soon; and what each client has got by then are whole replies, in order."""
        for sign in signal.SIGTERM, signal.SIGINT:
            server = self.start('-m', '256')
            values = {b'k%d' % i: blob(size, self.prng) for i, size in enumerate((10, 900, 5000, 200_000))}
            with server.connect() as c:
                for key, value in values.items():
                    self.assertEqual(c.store(key, value), b'STORED')
            clients = [Loader(server, values) for _ in range(12)]
            for client in clients:
                client.start()
            self.wait_until(lambda: all(client.replies > 20 for client in clients), 'the load does not get going')
            started = time.monotonic()
            server.stop(sign, seconds=5)
            print('stopped under load in %.2f s, %d replies' % (time.monotonic() - started, sum(c.replies for c in clients)))
            for client in clients:
                client.join(10 * millrace_server.binary.patience)
                self.assertFalse(client.is_alive())
                self.assertIsNone(client.trouble)

    def test_stopped_with_clients_that_do_not_read_or_finish(self):
        server = self.start()
        deaf, halfway, idle = server.connect(receive_buffer=4096), server.connect(), server.connect()
        self.assertEqual(idle.store(b'big', b'x' * 500_000), b'STORED')
        deaf.send(b'get big\r\n' * 200)
        halfway.send(b'set big 0 0 400000\r\n' + b'y' * 300_000)
        self.assertEqual(idle.ask(b'mn\r\n'), b'MN')
        server.stop(seconds=5)
        for c in deaf, halfway, idle:
            c.close()

    def test_stopped_by_command(self):
        for words in b'shutdown', b'shutdown graceful':
            server = self.start('-A')
            with server.connect() as c:
                c.send(words + b'\r\n')
                self.assertEqual(c.until_closed(), b'')
            self.assertEqual(server.process.wait(5 * millrace_server.binary.patience), 0)
            server.assert_clean_output()


class Loader(threading.Thread):
    """A client in a thread: pipelines gets, reads their replies, until the server ends the connection."""
    DEPTH = 16

    def __init__(self, server, values):
        super().__init__(daemon=True)
        self.wire, self.values = server.connect(), values
        self.replies, self.trouble = 0, None

    def run(self):
        with self.wire as c:
            try:
                self.serve(c)
            except Closed as closed:
                if closed.got:
                    self.trouble = 'torn: %r' % closed.got[-100:]
            except (BrokenPipeError, ConnectionResetError, OSError):
                self.drain(c)

    def serve(self, c):
        keys = list(self.values)
        while True:
            c.send(b''.join(b'get %s\r\n' % keys[i % len(keys)] for i in range(self.DEPTH)))
            for i in range(self.DEPTH):
                self.take_reply(c, keys[i % len(keys)])

    def take_reply(self, c, key):
        expected = b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (key, len(self.values[key]), self.values[key])
        if c.read(len(expected)) != expected:
            raise AssertionError('another reply than that of %r' % key)
        self.replies += 1

    def drain(self, c):
        """Sending failed, since the server has closed: what it had sent before is still to be read."""
        keys = list(self.values)
        try:
            for i in range(self.DEPTH):
                self.take_reply(c, keys[i % len(keys)])
        except Closed as closed:
            if closed.got:
                self.trouble = 'torn: %r' % closed.got[-100:]


@under_both
class Descriptors(ServerCase):
    wants_server = False

    def test_out_of_descriptors(self):
        """Who is connected is served; who comes later waits in the kernel, and is served when there is room again."""
        server = self.start(descriptors=48)
        kept = [server.connect() for _ in range(10)]
        for i, c in enumerate(kept):
            self.assertEqual(c.store(b'k%d' % i, b'v%d' % i), b'STORED')
        late = [server.connect() for _ in range(80)]
        for c in late:
            c.send(b'mn\r\n')
        self.wait_until(lambda: int(kept[0].stats()['listen_disabled_num']) > 0, 'running out was not noticed')
        for _ in range(20):
            for i, c in enumerate(kept):
                self.assertEqual(c.value(b'k%d' % i), b'v%d' % i)
        waiting, rounds = set(late), 0
        while waiting:
            served = set()
            self.wait_until(lambda: served.update(c for c in waiting if not c.is_quiet(0)) or served,
                            'closed connections did not make room for those that wait')
            for c in served:
                self.assertEqual(c.line(), b'MN')
                c.close()
            waiting -= served
            rounds += 1
        self.assertGreater(rounds, 1, 'there was room for all')
        for i, c in enumerate(kept):
            self.assertEqual(c.value(b'k%d' % i), b'v%d' % i)
        self.assertGreater(int(kept[0].stats()['time_in_listen_disabled_us']), 0)
        for c in kept:
            c.close()
        server.assert_nothing_held()
        server.stop()


@under_both
class Memory(ServerCase):
    wants_server = False

    def keys(self):
        """Enough for some to belong to each worker."""
        return [b'key:%d' % i for i in range(16)]

    def test_full_and_not_to_evict(self):
        for size in 500, 20_000, 3 * MIB:
            server = self.start('-M', '-m', '64', '-I', '4m')
            value = blob(size, self.prng)
            with server.connect() as c:
                stored, refused = self.fill(c, value)
                for key in self.prng.sample(refused, 20):
                    self.assertIsNone(c.value(key))
                sample = self.prng.sample(stored, 16)
                for key in sample:
                    self.assertEqual(c.value(key), value, 'something was evicted in spite of -M')
                stats = c.stats()
                self.assertEqual((stats['evictions'], int(stats['store_no_memory'])), ('0', len(refused)))
                # Room is made by deleting, and used.
                for key in sample:
                    self.assertEqual(c.ask(b'delete %s\r\n' % key), b'DELETED')
                self.assertIn(b'STORED', [c.store(key, value) for key in sample])
            server.assert_nothing_held()
            server.stop()

    def fill(self, c, value):
        """Until twice as much has been sent as there is memory; returns the keys that were stored, and those that were not."""
        keys = {b'STORED': [], b'SERVER_ERROR out of memory storing object': []}
        batch = max(1, 50_000 // len(value))
        for first in range(0, 128 * MIB // len(value), batch):
            names = [b'key:%d' % i for i in range(first, first + batch)]
            c.send(b''.join(b'set %s 0 0 %d\r\n%s\r\n' % (name, len(value), value) for name in names))
            for name in names:
                keys[c.line()].append(name)
        for names in keys.values():
            self.assertTrue(names)
        return keys.values()

    def test_a_value_over_the_largest_item_takes_the_old_one_with_it(self):
        """So that nobody goes on reading what a client believes it has replaced. The data block is passed over."""
        server = self.start()
        with server.connect() as c:
            for key in self.keys():
                for too_large in b'x' * (MIB + 1), b'y' * (4 * MIB):
                    self.assertEqual(c.store(key, b'old'), b'STORED')
                    self.assertEqual(c.store(key, too_large), b'SERVER_ERROR object too large for cache')
                    self.assertIsNone(c.value(key))
                # In pieces, silently, and with the next request right behind it.
                self.assertEqual(c.store(key, b'old'), b'STORED')
                c.send(b'set %s 0 0 %d noreply\r\n' % (key, 2 * MIB))
                c.send(b'z' * MIB)
                c.send(b'z' * MIB + b'\r\nget %s\r\n' % key)
                self.assertEqual(c.values(), {})
        server.assert_nothing_held()
        server.stop()


if __name__ == '__main__':
    millrace_server.run()
