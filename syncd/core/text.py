"""Text that people see on a terminal."""


def printable(text: str) -> str:
    """Escape whatever could steer a terminal or break a line: commit messages and values come from anybody."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
