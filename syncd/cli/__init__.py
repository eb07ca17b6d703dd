"""A person's door: the commands.

Owns words, tables, colours, prompts and exit codes. Holds no policy: it calls what the rooms below offer.
Imports what is slow (rich, the store's client) only inside the command that needs it.
"""

from syncd.cli.entry import main

__all__ = ["main"]
