"""Files of a host below a root that can be replaced: names are 'sys/...', 'proc/...', 'etc/...'.

Kernel files are written in place, as echo does; files in /etc are replaced whole, so that no reader sees half of one.
"""
import os
import tempfile


class Files:
    def __init__(self, root='/'):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def read_raw(self, name):
        with open(self.path(name), encoding='utf-8', errors='surrogateescape', newline='') as file:
            return file.read()

    def read(self, name, default=None):
        """Stripped; the default where there is nothing to be read (some files exist and refuse)."""
        try:
            return self.read_raw(name).strip()
        except OSError:
            return default

    def list(self, name):
        try:
            return sorted(os.listdir(self.path(name)))
        except OSError:
            return []

    def link(self, name):
        """The last word of where a link points, as drivers and groups are named; None: no link."""
        try:
            return os.path.basename(os.readlink(self.path(name)))
        except OSError:
            return None

    def real(self, name):
        return os.path.relpath(os.path.realpath(self.path(name)), os.path.realpath(self.root))

    def write(self, name, text):
        """Into a file that exists; the kernel's answer is the exception."""
        handle = os.open(self.path(name), os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, text.encode('utf-8', 'surrogateescape'))
        finally:
            os.close(handle)

    def mode(self, name):
        return os.stat(self.path(name)).st_mode & 0o7777

    def replace(self, name, text, mode=0o644):
        path = os.path.realpath(self.path(name))
        handle, scratch = tempfile.mkstemp(dir=os.path.dirname(path), prefix='.millrace')
        try:
            os.write(handle, text.encode('utf-8', 'surrogateescape'))
            os.fchmod(handle, mode)
            os.fsync(handle)
            os.rename(scratch, path)
        except OSError:
            os.unlink(scratch)
            raise
        finally:
            os.close(handle)

    def remove(self, name):
        os.unlink(self.path(name))

    def make_folder(self, name):
        os.mkdir(self.path(name))

    def remove_folder(self, name):
        os.rmdir(self.path(name))
