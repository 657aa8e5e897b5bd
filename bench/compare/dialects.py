"""How a kind of server is started and what it is asked, beside the load itself."""
import os
import shlex


def _as_root(words):
    return words if os.geteuid() == 0 else []


class Memcached:
    """memcached's options and its text protocol."""
    protocol = "text"
    hello = b"version\r\n"

    def command(self, path, server):
        return [path, "-t", str(server.threads), "-m", str(server.memory_mib), "-p", str(server.port),
                "-l", "127.0.0.1", "-U", str(server.port if server.serves_udp else 0), *_as_root(["-u", "root"])]

    def is_hello(self, answer):
        return answer.startswith(b"VERSION ")

    def version(self, server):
        return server.ask(b"version\r\n", b"\r\n").decode().strip().removeprefix("VERSION ")

    def stats(self, server):
        pairs = {}
        for line in server.ask(b"stats\r\n", b"END\r\n").decode(errors="replace").splitlines():
            words = line.split(" ", 2)
            if words[0] == "STAT" and len(words) == 3:
                pairs[words[1]] = words[2]
        return pairs

    def items(self, server):
        held = self.stats(server).get("curr_items")
        return None if held is None else int(held)


class Millrace(Memcached):
    """memcached's options; it binds its workers itself."""

    def command(self, path, server):
        return [path, "-t", str(server.threads), "-m", str(server.memory_mib), "-p", str(server.port),
                "-l", "127.0.0.1", "-U", str(server.port if server.serves_udp else 0),
                "--cores", ",".join(str(core) for core in server.cores),
                *_as_root(["-u", "root"])]


class Redis:
    """redis's options and RESP; valkey has both."""
    protocol = "resp"
    hello = b"PING\r\n"

    def command(self, path, server):
        return [path, "--port", str(server.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--maxmemory", f"{server.memory_mib}mb", "--maxmemory-policy", "allkeys-lru",
                "--io-threads", str(server.threads), "--protected-mode", "no"]

    def is_hello(self, answer):
        return answer.startswith(b"+PONG")

    def _info(self, server, section):
        text = server.ask(f"INFO {section}\r\n".encode(), b"\r\n\r\n").decode(errors="replace")
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def version(self, server):
        about = self._info(server, "server")
        return about.get("valkey_version") or about.get("redis_version", "unknown")

    def stats(self, server):
        """What the scripts read, under memcached's names."""
        return {"curr_items": str(self.items(server)), "evictions": self._info(server, "stats")["evicted_keys"]}

    def items(self, server):
        return int(server.ask(b"DBSIZE\r\n", b"\r\n").strip().removeprefix(b":"))


class Words(Memcached):
    """A command line given word by word, with {port}, {memory_mib} and {threads} in it; speaks memcached's text."""

    def __init__(self, text):
        self.words = shlex.split(text)

    def command(self, path, server):
        values = {"port": server.port, "memory_mib": server.memory_mib, "threads": server.threads}
        return [path, *[word.format(**values) for word in self.words[1:]]]


class RedisWords(Redis):
    """A command line of redis's, given word by word."""
    __init__ = Words.__init__
    command = Words.command


def dialect_of(text):
    """(program, dialect) of what follows NAME= in an option."""
    if "{" in text:
        program = shlex.split(text)[0]
        return program, RedisWords(text) if "redis" in program or "valkey" in program else Words(text)
    base = os.path.basename(text)
    if "redis" in base or "valkey" in base:
        return text, Redis()
    return text, Millrace() if "millrace" in base else Memcached()
