#!/usr/bin/python3
"""The fit of chunk sizes: against every choice where there are few, and on the sizes of a published workload."""
import contextlib
import importlib.machinery
import importlib.util
import io
import itertools
import os
import random
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))


def script():
    loader = importlib.machinery.SourceFileLoader('fit_slab_sizes', os.path.join(ROOT, 'scripts', 'fit-slab-sizes'))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('fit_slab_sizes', loader))
    loader.exec_module(module)
    return module


fit = script()


class FitSlabSizes(unittest.TestCase):
    def call(self, histogram, *words):
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as file:
            file.writelines('%d %d\n' % pair for pair in histogram.items())
            file.flush()
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                self.assertEqual(fit.main(['--histogram', file.name, *words]), 0)
        return [int(word) for word in out.getvalue().strip().removeprefix('-o slab_sizes=').split('-')], err.getvalue()

    def test_no_choice_of_as_many_sizes_wastes_less(self):
        prng = random.Random(7)
        for _ in range(5):
            histogram = {size: prng.randrange(1, 1000) for size in prng.sample(range(40, 400, 8), 9)}
            counts = fit.by_unit(histogram)
            sizes = fit.fit(counts, 4)
            self.assertLessEqual(len(sizes), 4)
            self.assertEqual(sizes, sorted(set(sizes)))
            candidates = [fit.widened(size) for size in histogram]
            best = min(fit.wasted(counts, sorted({*choice, fit.FITTED_MAX}))
                       for choice in itertools.combinations(candidates, 3))
            self.assertLessEqual(fit.wasted(counts, sizes), best + 1e-9)

    def test_etc_wastes_less_than_six_percent(self):
        # Values of a generalized Pareto distribution (sigma 214.476, k 0.348238), keys of 30 bytes, headers of 10.
        prng = random.Random(11)
        histogram = {}
        for _ in range(100_000):
            value = int(214.476 / 0.348238 * ((1 - prng.random()) ** -0.348238 - 1))
            step = (10 + 30 + value + 31) // 32 * 32
            histogram[step] = histogram.get(step, 0) + 1
        sizes, said = self.call(histogram)
        counts = fit.by_unit(histogram)
        self.assertLess(fit.wasted(counts, sizes), 0.05, said)
        self.assertLess(fit.wasted(counts, sizes), fit.wasted(counts, fit.default_sizes()), said)
        self.assertLess(fit.wasted(counts, fit.default_sizes()), 0.06, said)
        self.assertLessEqual(len(sizes), 55)
        self.assertEqual(sizes[-1], fit.FITTED_MAX)
        self.assertTrue(all(32 <= size <= fit.PAGE and size == fit.widened(size) for size in sizes))

    def test_the_default_sizes_are_the_servers(self):
        self.assertEqual(fit.default_sizes()[:16], [48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128, 136, 144, 152, 168, 184])
        self.assertEqual(fit.default_sizes()[-8:], [8192, 9360, 10920, 13104, 16384, 21840, 32768, 65536])


if __name__ == '__main__':
    unittest.main()
