"""What a person sees while it runs: one line per step, with its time."""

import time
from contextlib import contextmanager

STARTED = time.monotonic()
_steps = []


def spell(seconds):
    """`0.4 s`, `12 s` or `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


@contextmanager
def step(title):
    """Announces a step, and says how long it took when it is done."""
    print(f"▸ {title}", flush=True)
    begun, done = time.monotonic(), "failed after"
    try:
        yield
        done = "done in"
    finally:
        taken = time.monotonic() - begun
        _steps.append((title, taken))
        print(f"  {done} {spell(taken)}", flush=True)


def total():
    """Time since the start."""
    return spell(time.monotonic() - STARTED)


def summary():
    """Prints every step with its time, longest names aligned, and the total."""
    width = max((len(title) for title, _ in _steps), default=len("total"))
    for title, taken in _steps:
        print(f"  {title:<{width}}  {spell(taken):>12}")
    print(f"  {'total':<{width}}  {total():>12}", flush=True)
