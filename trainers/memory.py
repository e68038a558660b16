"""Keep freed memory for the next step, on Linux with glibc.

glibc gives every large tensor its own mapping and returns it to the kernel when it is freed, so each step of a CPU
run faults all its activations in anew: a third of the time of a small model's training. Raising two thresholds makes
it reuse them instead; the price is that the process keeps its peak size. Source: mallopt(3).
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell malloc to keep what is freed; False where there is no glibc to tell."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, 2**30) and mallopt(M_TRIM_THRESHOLD, LARGEST))
