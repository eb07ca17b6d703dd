"""What is to be known of one setting, whichever section it stands in."""

import msgspec

from syncd.settings.values import ValueType


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known of one setting.

    ``says`` is one line, also the flag's help; ``otherwise`` says in words what stands in where ``default`` is None.
    """

    type: ValueType
    says: str
    why: str
    default: object = None
    otherwise: str = ""
    flag: str = ""
