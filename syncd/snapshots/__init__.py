"""Taking, verifying, reading, keeping and restoring snapshots.

Stands empty until the issue on snapshots fills it. May import core, settings and log; never speaks to a store itself.
"""
