"""What every script of the scoreboard does around its measuring."""
import statistics
import sys

import machine
from servers import Trouble


def announced_machine():
    """The facts that a result must carry; also printed."""
    facts = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    return facts


def quartiles(values):
    """First and third; of one value, that value."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def guarded(name, run, arguments):
    """Runs it and ends the process: 0, 1 with a sentence when there was trouble or it returned False, 130 interrupted."""
    try:
        sys.exit(1 if run(arguments) is False else 0)
    except Trouble as trouble:
        print(f"{name}: {trouble}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)
