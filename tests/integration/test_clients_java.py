#!/usr/bin/python3
"""spymemcached, unmodified: text, binary, and by SASL. It knows no unix sockets."""
import os

import millrace_server
from client_case import ClientCase, PASSWORD, SCRIPTS, USER, build_folder
from millrace_server import under_both

JAR = '/usr/share/java/spymemcached.jar'


@under_both
class Spymemcached(ClientCase):
    def works(self, *words):
        if not os.path.exists(JAR):
            self.skipTest('libspymemcached-java is not installed')
        if not os.listdir(build_folder()):
            self.run_tool('ecj', '-proc:none', '-17', '-cp', JAR, '-d', build_folder(), os.path.join(SCRIPTS, 'Spymemcached.java'))
        said = self.run_tool('java', '-XX:TieredStopAtLevel=1', '-cp', JAR + os.pathsep + build_folder(), 'Spymemcached', '127.0.0.1', *words)
        self.assertTrue(said.rstrip().endswith('all done'), said)

    def test_text(self):
        self.works(str(self.server.port), 'text')

    def test_binary(self):
        self.works(str(self.server.port), 'binary')

    def test_binary_by_sasl(self):
        self.works(str(self.guarded().port), 'binary', USER, PASSWORD)


if __name__ == '__main__':
    millrace_server.run()
