"""The memcached client of the Apache Portable Runtime (libaprutil1), as modules of Apache use it, called from here."""
import ctypes
from ctypes import byref, c_char_p, c_int32, c_size_t, c_uint16, c_uint32, c_void_p

_SUCCESS, _NOT_FOUND, _EXISTS = 0, 70015, 17  # APR_NOTFOUND; APR_EEXIST is EEXIST


class Client:
    """OSError from the constructor: the library is not there."""

    def __init__(self, host, port):
        self.apr, self.lib = ctypes.CDLL('libapr-1.so.0'), ctypes.CDLL('libaprutil-1.so.0')
        self.apr.apr_initialize()
        self.pool = c_void_p()
        self.apr.apr_pool_create_ex(byref(self.pool), None, None, None)
        self.client, self.server = c_void_p(), c_void_p()
        self._ok(self.lib.apr_memcache_create(self.pool, c_uint16(1), c_uint32(0), byref(self.client)))
        self._ok(self.lib.apr_memcache_server_create(self.pool, c_char_p(host.encode()), c_uint16(port), c_uint32(0), c_uint32(1),
                                                     c_uint32(4), c_uint32(60_000_000), byref(self.server)))
        self._ok(self.lib.apr_memcache_add_server(self.client, self.server))

    def close(self):
        self.apr.apr_pool_destroy(self.pool)

    def _ok(self, status, *, no=()):
        if status not in (_SUCCESS, *no):
            raise AssertionError('apr_memcache says %d' % status)
        return status == _SUCCESS

    def _store(self, verb, key, value, exptime, flags):
        call = getattr(self.lib, 'apr_memcache_' + verb)
        return self._ok(call(self.client, c_char_p(key), c_char_p(value), c_size_t(len(value)), c_uint32(exptime), c_uint16(flags)),
                        no=(_EXISTS, _NOT_FOUND))

    def set(self, key, value, exptime=0, flags=0):
        return self._store('set', key, value, exptime, flags)

    def add(self, key, value, exptime=0, flags=0):
        return self._store('add', key, value, exptime, flags)

    def replace(self, key, value, exptime=0, flags=0):
        return self._store('replace', key, value, exptime, flags)

    def get(self, key):
        value, size, flags = c_void_p(), c_size_t(), c_uint16()
        found = self._ok(self.lib.apr_memcache_getp(self.client, self.pool, c_char_p(key), byref(value), byref(size), byref(flags)),
                         no=(_NOT_FOUND,))
        return (ctypes.string_at(value, size.value) if size.value else b'', flags.value) if found else None

    def delete(self, key):
        return self._ok(self.lib.apr_memcache_delete(self.client, c_char_p(key), c_uint32(0)), no=(_NOT_FOUND,))

    def _count(self, verb, key, delta):
        number = c_uint32()
        self._ok(getattr(self.lib, 'apr_memcache_' + verb)(self.client, c_char_p(key), c_int32(delta), byref(number)))
        return number.value

    def incr(self, key, delta):
        return self._count('incr', key, delta)

    def decr(self, key, delta):
        return self._count('decr', key, delta)

    def version(self):
        text = c_char_p()
        self._ok(self.lib.apr_memcache_version(self.server, self.pool, byref(text)))
        return text.value.strip()
