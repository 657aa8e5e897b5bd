"""What was before: a JSON file, on disk before the first write, never overwritten with later states."""
import json
import os


class Backup:
    def __init__(self, folder, tool):
        self.folder, self.path = folder, os.path.join(folder, tool + '.json')
        self.entries, self.refused, self.arguments, self.folders_made = {}, [], None, []
        self.is_there = os.path.exists(self.path)
        if self.is_there:
            with open(self.path, encoding='utf-8') as file:
                kept = json.load(file)
            self.entries, self.refused = kept['entries'], kept['refused']
            self.arguments, self.folders_made = kept['arguments'], kept['folders_made']

    def add(self, key, entry):
        """The oldest state counts; only what we planned to write may be renewed."""
        if key not in self.entries:
            self.entries[key] = entry
        elif 'planned' in entry:
            self.entries[key]['planned'] = entry['planned']

    def write(self):
        folder, missing = self.folder, []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for folder in reversed(missing):
            os.mkdir(folder, 0o755)
            self.folders_made.append(folder)
        scratch = self.path + '.new'
        with open(scratch, 'w', encoding='utf-8') as file:
            json.dump({'version': 1, 'arguments': self.arguments, 'folders_made': self.folders_made,
                       'refused': self.refused, 'entries': self.entries}, file, indent=1)
            file.write('\n')
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, self.path)
        self.is_there = True

    def remove(self):
        os.unlink(self.path)
        for folder in reversed(self.folders_made):
            try:
                os.rmdir(folder)
            except OSError:
                break  # somebody else's files are there
