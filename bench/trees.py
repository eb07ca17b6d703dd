"""Trees for benches: real git repositories with many keys."""

import subprocess
from pathlib import Path

PER_FILE = 100
VALUE_BYTES = 150


def value_of(number: int, round_: int = 0) -> str:
    """Make a value of 150 bytes, its own for each key."""
    head = f"{number}-{round_}-"
    return head + "v" * (VALUE_BYTES - len(head))


def write_tree(repository: Path, keys: int) -> None:
    """Write and commit ``keys`` keys in files of a hundred, each nested three deep."""
    tree = repository / "config/mordomo"
    tree.mkdir(parents=True, exist_ok=True)
    for file in range(keys // PER_FILE):
        lines = [f"service_{file}:"]
        for number in range(PER_FILE):
            if number % 10 == 0:
                lines.append(f"  group_{number // 10}:")
            lines.append(f"    key_{number}: {value_of(file * PER_FILE + number)}")
        (tree / f"f{file}.yaml").write_text("\n".join(lines) + "\n")
    git(repository, "init", "-q", "-b", "main")
    commit(repository)


def change_one(repository: Path, round_: int) -> str:
    """Commit another value for one key and return that value."""
    path = repository / "config/mordomo/f0.yaml"
    lines = path.read_text().splitlines()
    value = value_of(0, round_)
    lines[2] = f"    key_0: {value}"
    path.write_text("\n".join(lines) + "\n")
    commit(repository)
    return value


def commit(repository: Path) -> None:
    """Commit everything."""
    git(repository, "add", "-A")
    git(repository, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "bench")


def git(repository: Path, *arguments: str) -> str:
    """Run git."""
    done = subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()
