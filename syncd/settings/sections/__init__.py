"""The sections of ``syncd.toml``, a file for each: every setting with its unit, its default and the reason beside it.

``docs/settings.md`` is made from these files.
"""
