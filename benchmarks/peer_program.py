"""What the peer programs share: the clock, repetitions on request, and the JSON object that they print.

Needs no package. --on-request is how compare_peers.py alternates between programs that are all warm: a program says
{"ready": true} after its first pass, works once for every line of standard input and answers {"seconds": S}; when the
input ends it prints its result. train_bench and stylize_bench do the same (repetitions.hpp).
"""
import json
import os
import re
import sys
import time


def add_options(parser):
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--on-request", action="store_true", help="one repetition per line of standard input")
    parser.add_argument("--output", help="write the first result here, as float32 NCHW (.npy)")


def say(**values):
    print(json.dumps(values), flush=True)


def seconds_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_each(options, once, count, **facts):
    """The seconds that `count` calls of once() return, or one call for every line of standard input.

    facts: what to tell beside {"ready": true}, before anything is timed."""
    if not options.on_request:
        return [once() for _ in range(count)]
    seconds = []
    say(ready=True, **facts)
    for _ in sys.stdin:
        seconds.append(once())
        say(seconds=seconds[-1])
    return seconds


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def resident_mib():
    """Memory of this process now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2 ** 20


def peak_mib(process="self"):
    """The most memory that a process has had. (getrusage would count what its parent had when it was started.)"""
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) / 1024


def print_result(options, seconds, **more):
    """One JSON object on standard output. `seconds` are the measured repetitions, warm-up left out."""
    result = {**vars(options), **more, "repetitions": len(seconds)}
    if seconds:
        result.update(median_s=median(seconds), min_s=min(seconds), max_s=max(seconds))
    say(**result,
        peak_rss_mib=peak_mib(),
        allocator={name: value for name, value in os.environ.items() if name.startswith("MALLOC_")})
