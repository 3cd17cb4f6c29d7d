"""Amazon Linux 2023 has glibc 2.34: no function may need a newer symbol."""

import re

from local import build
from local.environment import FUNCTIONS, Failed

NEWEST = (2, 34)
VERSION = re.compile(rb"\0GLIBC_(\d+)\.(\d+)")


def highest(path):
    """The newest glibc symbol version that a binary names."""
    versions = [tuple(map(int, found)) for found in VERSION.findall(path.read_bytes())]
    return max(versions, default=(0, 0))


def check(directory=build.HOST):
    """Raises for the functions that need a newer glibc."""
    needs = {name: highest(build.bootstrap(name, directory)) for name in FUNCTIONS}
    for name, version in sorted(needs.items()):
        print(f"  {name}: glibc {version[0]}.{version[1]}")
    newer = [name for name, version in needs.items() if version > NEWEST]
    if newer:
        raise Failed(f"These functions need a newer glibc than 2.34: {', '.join(newer)}.")
