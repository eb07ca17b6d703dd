"""Subscribers of this process: a sender that keeps what it is given and answers when the test says so."""

import json
from collections.abc import Callable
from typing import Any

from syncd.core.subscriber import Subscriber
from syncd.fanout.sender import Done, Message, Result

DELIVERED = Result("delivered", "204")


class Receiver:
    """A subscriber's end. ``answer`` is what it says at once, None: when the test calls ``reply``."""

    def __init__(self, answer: Result | None = DELIVERED) -> None:
        self.answer = answer
        self.tries: list[Message] = []
        self.closed = False
        self._done: Done | None = None

    def send(self, message: Message, done: Done) -> None:
        assert self._done is None, "one at a time"
        self.tries.append(message)
        self._done = done
        if self.answer is not None:
            self.reply(self.answer)

    def reply(self, result: Result = DELIVERED) -> None:
        """Answer the try that is under way."""
        done, self._done = self._done, None
        assert done is not None, "nothing is under way"
        done(result)

    async def close(self) -> None:
        self.closed = True
        self._done = None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What it was sent, decoded."""
        return [json.loads(each.body) for each in self.tries]

    @property
    def told(self) -> list[dict[str, str | None]]:
        """The keys and new values of each try."""
        return [{each["key"]: each.get("new") for each in body["data"]["changes"]} for body in self.bodies]


class Receivers:
    """Makes receivers by a subscriber's name; what they answer is set before."""

    def __init__(self) -> None:
        self.by_name: dict[str, Receiver] = {}
        self.answers: dict[str, Result | None] = {}

    def __getitem__(self, name: str) -> Receiver:
        return self.by_name[name]

    @property
    def make(self) -> Callable[[Subscriber], Receiver]:
        def make(subscriber: Subscriber) -> Receiver:
            if subscriber.name == "impossible":
                raise ValueError("no such thing")
            made = Receiver(self.answers.get(subscriber.name, DELIVERED))
            self.by_name[subscriber.name] = made
            return made

        return make
