"""Telling who cares: subscribers, journal, outbox and senders.

Stands empty until the issue on fan-out fills it. May import core, settings and log; never speaks to a store.
"""
