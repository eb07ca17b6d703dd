"""How long ``syncd --help`` takes, as a ratio to importing click alone, in one run.

.venv/bin/python bench/startup.py
"""

import statistics
import subprocess
import sys
import time

TARGET = 2.0
ROUNDS = 40
HELP = (sys.executable, "-m", "syncd", "--help")
CLICK = (sys.executable, "-c", "import click")


def seconds(command: tuple[str, ...]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    seconds(HELP), seconds(CLICK)  # byte code is compiled
    pairs = [(seconds(HELP), seconds(CLICK)) for _ in range(ROUNDS)]  # in turns: the machine's mood hits both
    took, click = (statistics.median(column) for column in zip(*pairs, strict=True))
    verdict = "ok" if took / click < TARGET else "TOO SLOW"
    print(f"syncd --help {took * 1000:.1f} ms, import click {click * 1000:.1f} ms")
    print(f"ratio {took / click:.2f}, under {TARGET}: {verdict}")
    return int(took > TARGET * click)


if __name__ == "__main__":
    sys.exit(main())
