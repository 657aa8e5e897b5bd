"""Makes C++ of the report's page, at build time: embed.py page.html page.css charts.js page.js OUTPUT

Puts each file in the place that page.html names (@@page.css@@), and writes what is before and after @@RESULT@@ as two
string constants. The page stays a page that a browser can open and an editor can check.
"""
import os
import sys

DELIMITER = 'millrace_page'


def constant(name, text):
    assert DELIMITER not in text
    return f'const std::string_view {name} = R"{DELIMITER}({text}){DELIMITER}";\n'


def main():
    page, *parts, output = sys.argv[1:]
    with open(page, encoding='utf-8') as file:
        text = file.read()
    for part in parts:
        place = f'@@{os.path.basename(part)}@@'
        assert text.count(place) == 1, f'{page} has no place for {place}'
        with open(part, encoding='utf-8') as file:
            text = text.replace(place, file.read().rstrip())
    before, after = text.split('@@RESULT@@')
    with open(output, 'w', encoding='utf-8') as file:
        file.write('// Made by embed.py.\n#include "bench/load/report/page.h"\n\nnamespace millrace::load {\n')
        file.write(constant('kPageBeforeResult', before) + constant('kPageAfterResult', after))
        file.write('}  // namespace millrace::load\n')


main()
