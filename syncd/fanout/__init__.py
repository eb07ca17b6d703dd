"""Telling who cares: journal, outbox, senders and event streams.

May import core, settings and log; never speaks to a store.
"""
