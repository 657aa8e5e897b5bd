#!/usr/bin/python3
"""The users of a sasldb2: from dumps as db_dump writes them, and from a file that saslpasswd2 has written where there is one."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
PATH = os.path.join(ROOT, 'scripts', 'sasldb-users')


def script():
    loader = importlib.machinery.SourceFileLoader('sasldb_users', PATH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('sasldb_users', loader))
    loader.exec_module(module)
    return module


sasldb = script()


def dump(*pairs):
    """What db_dump -p writes of records of (key, password) in its own spelling."""
    return b'VERSION=3\nformat=print\ntype=hash\nHEADER=END\n' + b''.join(
        b' %s\n %s\n' % pair for pair in pairs) + b'DATA=END\n'


class SasldbUsers(unittest.TestCase):
    def test_users_of_all_realms_or_one(self):
        text = dump((rb'bob\00b.org\00userPassword', b'pa:ss'), (rb'alice\00a.org\00userPassword', b'secret'),
                    (rb'alice\00a.org\00cmusaslsecretOTP', b'x'))
        self.assertEqual(sasldb.users_file(text), b'alice:secret\nbob:pa:ss\n')
        self.assertEqual(sasldb.users_file(text, b'b.org'), b'bob:pa:ss\n')

    def test_one_user_of_two_realms(self):
        text = dump((rb'a\00r1\00userPassword', b'x'), (rb'a\00r2\00userPassword', b'y'), (rb'a\00r3\00userPassword', b'x'))
        self.assertEqual(sasldb.users_file(text), b'a:x\na:y\n')

    def test_spelling_of_bytes(self):
        text = dump((rb'a\00r\00userPassword', rb'b\\5c\c3\a4\\'))
        self.assertEqual(sasldb.users_file(text), b'a:b\\5c\xc3\xa4\\\n')

    def test_what_the_file_cannot_hold_is_said_without_passwords(self):
        many = dump(*[(rb'u%d\00r\00userPassword' % i, b'secret') for i in range(9)])
        for text, why in ((many, '9 users'), (dump((rb'a\00r\00userPassword', b's' * 254)), '254 bytes'),
                          (dump((rb'a:b\00r\00userPassword', b'secret')), 'colon'),
                          (dump((rb'a\00r\00userPassword', rb'secret\0a')), 'line end'),
                          (dump((rb'a\00r\00userPassword', b'')), 'empty'),
                          (dump(), 'no user'), (b'secret', 'no dump'), (dump() + b' odd\n', 'no dump')):
            with self.assertRaises(ValueError) as raised:
                sasldb.users_file(text)
            self.assertIn(why, str(raised.exception))
            self.assertNotIn('secret', str(raised.exception))
        sasldb.users_file(dump((rb'a\00r\00userPassword', b's' * 253)))

    def test_no_such_file(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(sasldb.main(['/nonexistent/sasldb2']), 1)
        self.assertTrue(err.getvalue().startswith('sasldb-users: '), err.getvalue())

    def test_a_file_of_saslpasswd2(self):
        for tool in ('saslpasswd2', 'db_dump'):
            if not shutil.which(tool):
                self.skipTest('%s is not installed' % tool)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'sasldb2')
            for user, password in ((b'alice', b'secret'), (b'bob', b'back\\slash \xc3\xa4')):
                subprocess.run(['saslpasswd2', '-p', '-c', '-f', path, '-u', 'r.org', user.decode()], input=password, check=True)
            done = subprocess.run([PATH, '--realm', 'r.org', path], capture_output=True, check=True)
            self.assertEqual(done.stdout, b'alice:secret\nbob:back\\slash \xc3\xa4\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)
