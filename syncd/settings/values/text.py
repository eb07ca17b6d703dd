"""Plain text, one of a few words, and where to listen."""

from syncd.settings.values.kind import BadValue, Quoted


class Text(Quoted, frozen=True):
    """Any text, but none."""

    @property
    def describe(self) -> str:
        return "text"

    def read(self, value: object) -> str:
        if not (text := self.text(value)):
            raise BadValue("must not be empty")
        return text


class Listen(Quoted, frozen=True):
    """``HOST:PORT`` to listen at, ``""`` for nowhere; an IPv6 address stands in brackets."""

    @property
    def describe(self) -> str:
        return "HOST:PORT"

    def read(self, value: object) -> str:
        text = self.text(value)
        if text:
            host, colon, port = text.rpartition(":")
            if not colon or not host or not port.isdecimal() or int(port) > 65_535:
                raise BadValue(f"must be HOST:PORT, as 127.0.0.1:8510, not {text!r}")
        return text


class Choice(Quoted, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def describe(self) -> str:
        return ", ".join(self.words[:-1]) + " or " + self.words[-1]

    def read(self, value: object) -> str:
        text = self.text(value)
        if text not in self.words:
            raise BadValue(f"must be {self.describe}, not {text!r}")
        return text
