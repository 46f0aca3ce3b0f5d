#!/usr/bin/env python3
"""Reference values of test_depth_metrics.cpp, by NumPy and SciPy and not by the formulas as chiaro writes them.

Run it with NumPy and SciPy; it prints the constants that the test holds. The maps come from a small integer
generator, so that the test can make the same ones: 24 x 30 values, the second is a disturbed copy of the first,
some pixels hold no depth, and depths are rounded to quarters where ties are wanted.
"""
import numpy as np
from scipy import ndimage, stats

HEIGHT, WIDTH = 24, 30


def integers(seed, count):
    """x -> x * 1103515245 + 12345 mod 2^31, the upper bits: values 0 .. 1023."""
    values, state = [], seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        values.append(state >> 21)
    return np.array(values, dtype=np.float64).reshape(HEIGHT, WIDTH)


def maps(ties):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    first = 1 + x / 8 + y / 16 + integers(1, HEIGHT * WIDTH) / 1024
    second = first * (0.5 + integers(2, HEIGHT * WIDTH) / 1536)
    if ties:
        first, second = np.round(first * 4) / 4, np.round(second * 4) / 4
    return first.astype(np.float32).astype(np.float64), second.astype(np.float32).astype(np.float64)


def gaussian_window():
    window = np.zeros((11, 11))
    window[5, 5] = 1
    window = ndimage.gaussian_filter(window, 1.5, truncate=5 / 1.5, mode="constant")
    return window / window.sum()


def ssim(a, b, usable, dynamic_range):
    """Window by window, as weighted moments; no filtering of whole maps."""
    window, values = gaussian_window(), []
    for top in range(HEIGHT - 10):
        for left in range(WIDTH - 10):
            part = np.s_[top : top + 11, left : left + 11]
            if not usable[part].all():
                continue
            cov = np.cov(a[part].ravel(), b[part].ravel(), aweights=window.ravel(), ddof=0)
            ma, mb = np.average(a[part], weights=window), np.average(b[part], weights=window)
            c1, c2 = (0.01 * dynamic_range) ** 2, (0.03 * dynamic_range) ** 2
            values.append((2 * ma * mb + c1) * (2 * cov[0, 1] + c2)
                          / ((ma**2 + mb**2 + c1) * (cov[0, 0] + cov[1, 1] + c2)))
    return np.mean(values)


def report(name, first, second, usable, scaled=False):
    a, b = first[usable], second[usable]
    if scaled:
        second = second * (np.median(a) / np.median(b))
        b = second[usable]
    ratio = np.maximum(a / b, b / a)
    numbers = [len(a), np.mean(np.abs(a - b) / a), np.sqrt(np.mean((a - b) ** 2)),
               np.mean(np.abs(np.log10(a / b))), np.mean(ratio < 1.25), np.mean(ratio < 1.25**2),
               np.mean(ratio < 1.25**3), ssim(first, second, usable, np.ptp(a)), stats.spearmanr(a, b).statistic]
    print(f"{name}: {{{', '.join(f'{v:.15g}' for v in numbers)}}}")


def main():
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    report("plain", *maps(ties=False), everywhere)
    report("ties", *maps(ties=True), everywhere)
    report("scaled", *maps(ties=True), everywhere, scaled=True)
    holes = everywhere.copy()
    holes[2:4, 20:22] = holes[23, 0] = holes[12, 29] = False
    report("holes", *maps(ties=False), holes)


if __name__ == "__main__":
    main()
