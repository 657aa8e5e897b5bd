"""The four verbs over any list of settings: show, apply, verify, revert. tune-cores and tune-queues differ in settings.

A plan is a list of phases: each a function that gives settings, asked only when those before are written, because one
change (a queue count) makes or removes what the next one sets. Exit: 0 right or done, 1 drift or failure, 2 refusal.
"""
import argparse
import json
import os
import subprocess
import sys

from tuning import cpus, settings
from tuning.backup import Backup
from tuning.files import Files
from tuning.machine import Machine
from tuning.settings import Refused


def run_command(words):
    """Standard output; Refused with the command's own words when it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f'{" ".join(words)}: {error}')
    if done.returncode:
        raise Refused(f'{" ".join(words)}: {(done.stderr or done.stdout).strip() or "failed"}')
    return done.stdout


def parser_of(tool, description):
    parser = argparse.ArgumentParser(prog=tool, description=description)
    parser.add_argument('verb', choices=['show', 'apply', 'verify', 'revert'])
    parser.add_argument('--yes', action='store_true', help='write; else apply and revert only say what they would do')
    parser.add_argument('--json', action='store_true', help='for programs')
    parser.add_argument('--force', action='store_true', help='do also what is refused for your own good')
    parser.add_argument('--root', default='/', metavar='DIR', help='another root than / for sys, proc and etc')
    parser.add_argument('--state', metavar='DIR', help='where the former state is (ROOT/var/lib/millrace/tuning)')
    parser.add_argument('--cores', metavar='LIST', help='CPUs of the workers, such as 2-7 (else: see docs/tuning.md)')
    parser.add_argument('--plan', metavar='FILE', help='output of `millrace --show-plan`, for cores and memory; -: stdin')
    return parser


def read_options(parser, arguments):
    """The options, and what they would be if nothing but the verb were said."""
    defaults = {action.dest: action.default for action in parser._actions}
    return parser.parse_args(arguments), defaults


def rows_of(found):
    """Settings that say the same of many CPUs or queues become one row."""
    rows = {}
    for s in found:
        key = (s.area, s.name, s.now(), s.wanted) if s.member is not None else (s.area, s.key)
        rows.setdefault(key, []).append(s)
    for group in rows.values():
        s = group[0]
        name = s.name if s.member is None else f'{s.name} of {cpus.list_text([g.member for g in group])}'
        yield s.area, name, s.now(), s.wanted, s


class Tool:
    def __init__(self, name, parser, arguments, plan, files=None, run=None):
        options, defaults = read_options(parser, arguments)
        self.name, self.options = name, options
        self.host = Machine(files or Files(options.root), run or run_command)
        folder = options.state or os.path.join(options.root, 'var/lib/millrace/tuning')
        self.backup, self.plan, self.defaults = Backup(folder, name), plan, defaults

    def take_stored(self):
        """Without arguments every verb means what was applied."""
        given = {k: v for k, v in self.arguments().items() if v != self.defaults.get(k)}
        if not self.backup.arguments:
            return
        if not given:
            for name, value in self.backup.arguments.items():
                setattr(self.options, name, value)

    def arguments(self):
        return {k: v for k, v in vars(self.options).items()
                if k not in ('verb', 'yes', 'json', 'force', 'root', 'state')}

    def run(self):
        try:
            if self.options.verb == 'revert':
                return self.revert()
            self.take_stored()
            phases, self.notes, self.advice = self.plan(self.host, self.options)
            others = self.backup.arguments and self.arguments() != self.backup.arguments
            if others and self.options.verb == 'apply' and not self.options.force:  # it would leave remains behind
                raise Refused('it was applied with other options; revert first, or --force')
            return getattr(self, self.options.verb)(phases)
        except Refused as refusal:
            print(f'{self.name}: {refusal}', file=sys.stderr)
            return 2

    def differs(self, s):
        return not s.is_right() and s.key not in self.backup.refused

    def state_of(self, s):
        return 'ok' if s.is_right() else "kernel's own" if s.key in self.backup.refused else 'DIFFERS'

    def print_table(self, found):
        if self.options.json:
            print(json.dumps({'settings': [{'area': s.area, 'name': s.name, 'key': s.key, 'member': s.member,
                                            'now': s.now(), 'wanted': s.wanted, 'state': self.state_of(s), 'why': s.why}
                                           for s in found], 'notes': self.notes, 'advice': self.advice,
                              'applied': self.backup.is_there}, indent=1))
            return
        table = [('what', 'is', 'should be', '', 'why')]
        for area, name, now, wanted, s in rows_of(found):
            table.append((f'{area}: {name}', str(now), str(wanted), self.state_of(s), s.why))
        widths = [min(52, max(len(row[i]) for row in table)) for i in range(4)]
        for row in table:
            print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)) + '  ' + row[4])
        for note in self.notes:
            print('note:', note)
        for line in self.advice:
            print('advice:', line)

    def show(self, phases):
        self.print_table([s for phase in phases for s in phase()])
        return 0

    def verify(self, phases):
        wrong = [s for phase in phases for s in phase() if self.differs(s)]
        self.print_table(wrong) if wrong else print(f'{self.name}: everything is as it should be')
        return 1 if wrong else 0

    def apply(self, phases):
        if not self.options.yes:
            wrong = [s for phase in phases for s in phase() if self.differs(s)]
            self.print_table(wrong)
            print(f'{self.name}: {len(wrong)} settings would be written; --yes does it')
            return 0
        for phase in phases:  # what cannot be put back is refused here, before the first write
            for s in phase():
                if self.differs(s) and s.key not in self.backup.entries:
                    s.save()
        written = 0
        self.backup.arguments = self.arguments()
        for phase in phases:
            wrong = [s for s in phase() if self.differs(s)]
            for s in wrong:
                self.backup.add(s.key, s.save())
            if wrong or self.backup.is_there:
                self.backup.write()
            for s in wrong:
                try:
                    s.apply()
                    if not s.is_right():
                        raise Refused(f'was written, but it reads {s.now()}')
                except (OSError, Refused) as error:
                    if getattr(error, 'errno', None) in s.may_refuse and s.may_refuse:
                        self.backup.refused.append(s.key)
                        self.backup.write()
                        continue
                    print(f'{self.name}: {s.area}: {s.name}: {error}\n{self.name}: stopped after {written} writes; '
                          f'`{self.name} revert --yes` goes back', file=sys.stderr)
                    return 1
                written += 1
        print(f'{self.name}: {written} settings written' + (f'; {len(self.backup.refused)} are the kernel\'s own'
                                                            if self.backup.refused else ''))
        for line in self.notes + self.advice:
            print('then:', line)
        return 0

    def revert(self):
        if not self.backup.is_there:
            print(f'{self.name}: nothing was applied, so there is nothing to revert')
            return 0
        if not self.options.yes:
            print('\n'.join(['would put back:'] + list(reversed(self.backup.entries))))
            return 0
        failures = []
        for key, entry in reversed(list(self.backup.entries.items())):
            try:
                remark = settings.KINDS[entry['kind']].restore(self.host, entry, self.options.force)
                if remark:
                    print(f'{self.name}: {remark}')
            except (OSError, Refused) as error:
                failures.append(f'{key}: {error}')
        if failures:
            print(f'{self.name}: {len(failures)} could not be put back; the backup stays:\n' + '\n'.join(failures),
                  file=sys.stderr)
            return 1
        self.backup.remove()
        print(f'{self.name}: as it was ({len(self.backup.entries)} settings)')
        return 0
