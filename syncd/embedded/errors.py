"""How an operation fails, and how the store itself does."""


class Failed(Exception):  # an answer, not a fault
    """An operation did nothing; the text is Consul's."""


class Lost(Failed):
    """A condition of the operation does not hold: alone it answers false."""


class Invalid(Failed):
    """The operation makes no sense: alone it answers 500."""


class NotStored(Exception):  # an answer, not a fault
    """The disk did not take the write; nothing of it will be seen."""


class NotOurs(Exception):  # an answer, not a fault
    """The snapshot is one of a Consul."""
