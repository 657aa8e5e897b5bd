"""One thing that is somehow and should be otherwise: how it is read, written, saved and put back.

A setting has: area and name (for people), key (its identity in the backup), wanted and now() (texts that compare), why.
save() gives what restore(host, entry) of its kind needs. Settings are made for what exists only.
"""
import errno
import hashlib

from tuning import cpus


class Refused(Exception):
    """A sentence for the operator: this will not be done, or did not work."""


def word(text):
    """The value of a file: where the kernel shows a choice, "always [madvise] never", the chosen one."""
    text = text.strip()
    return text.split('[', 1)[1].split(']', 1)[0] if '[' in text and ']' in text else text


FORMS = {
    'word': word,
    'list': lambda text: cpus.list_text(cpus.parse_list(text)),
    'mask': lambda text: cpus.list_text(cpus.parse_mask(text)) or 'none',  # shown as a list, for people
}


class Setting:
    may_refuse = ()  # errors by which the kernel says that this is its own business

    def __init__(self, host, area, name, wanted, why, member=None):
        self.host, self.area, self.name, self.wanted, self.why, self.member = host, area, name, wanted, why, member

    def is_right(self):
        return self.now() == self.wanted


class KernelFile(Setting):
    """A file of sysfs or procfs. `tag` names what its number means today (an IRQ's device): numbers are dealt anew."""
    kind = 'file'

    def __init__(self, host, area, path, wanted, why, form='word', name=None, member=None, may_refuse=(), tag=None):
        self.path, self.form, self.tag, self.may_refuse, self.value = path, form, tag, may_refuse, wanted
        shown = FORMS[form](wanted)
        super().__init__(host, area, name or path, shown, why, member)
        self.key = f'file:{path}' + (f':{tag}' if tag else '')

    def now(self):
        text = self.host.files.read(self.path)
        return None if text is None else FORMS[self.form](text)

    def save(self):
        return {'kind': self.kind, 'path': self.path, 'content': self.host.files.read_raw(self.path), 'tag': self.tag}

    def apply(self):
        self.host.files.write(self.path, self.value + '\n')

    @staticmethod
    def restore(host, entry, force):
        """What was read is written; where the kernel shows choices it takes only the chosen word."""
        files, path, before = host.files, entry['path'], entry['content']
        if not files.exists(path):
            return f'{path} is gone; there is nothing to put back'
        if entry['tag'] and host.irq_names().get(int(path.split('/')[2])) != entry['tag']:
            return f'{path} belongs to another device now; left alone'
        if files.read_raw(path) == before:
            return None
        failure = None
        for text in (before, word(before) + '\n'):
            try:
                files.write(path, text)
            except OSError as error:
                failure = error
                continue
            if files.read_raw(path) == before or word(files.read_raw(path)) == word(before):
                return None
        raise failure or Refused(f'{path} reads {files.read(path)}, not {before.strip()}')


class TextFile(Setting):
    """A file below /etc, made or edited: `edit` takes the text (None: no file) and gives the text that should be."""
    kind = 'text'

    def __init__(self, host, area, path, edit, shown, why):
        self.path, self.edit = path, edit
        super().__init__(host, area, path, shown, why)
        self.key = f'text:{path}'

    def text(self):
        return self.host.files.read_raw(self.path) if self.host.files.exists(self.path) else None

    def now(self):
        text = self.text()
        return self.wanted if text is not None and self.edit(text) == text else ('absent' if text is None else 'otherwise')

    def save(self):
        text = self.text()
        return {'kind': self.kind, 'path': self.path, 'content': text,
                'mode': None if text is None else self.host.files.mode(self.path), 'planned': digest(self.edit(text))}

    def apply(self):
        text = self.text()
        self.host.files.replace(self.path, self.edit(text), 0o644 if text is None else self.host.files.mode(self.path))

    @staticmethod
    def restore(host, entry, force):
        files, path = host.files, entry['path']
        text = files.read_raw(path) if files.exists(path) else None
        if text == entry['content']:
            return None
        if text is not None and digest(text) != entry['planned'] and not force:
            raise Refused(f'{path} was edited since; --force puts the old text back over it')
        if entry['content'] is None:
            files.remove(path)
        else:
            files.replace(path, entry['content'], entry['mode'])
        return None


class Folder(Setting):
    """A folder that has to be there: a cgroup, or /etc's place for our drop-in."""
    kind = 'folder'

    def __init__(self, host, area, path, why):
        self.path = path
        super().__init__(host, area, path, 'there', why)
        self.key = f'folder:{path}'

    def now(self):
        return 'there' if self.host.files.exists(self.path) else 'absent'

    def save(self):
        return {'kind': self.kind, 'path': self.path}

    def apply(self):
        self.host.files.make_folder(self.path)

    @staticmethod
    def restore(host, entry, force):
        if host.files.exists(entry['path']):
            host.files.remove_folder(entry['path'])


def digest(text):
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()


IRQ_REFUSALS = (errno.EIO, errno.EPERM, errno.EINVAL)  # per-queue vectors that the kernel itself spreads
KINDS = {kind.kind: kind for kind in (KernelFile, TextFile, Folder)}
