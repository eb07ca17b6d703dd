"""Snapshot files: taking, verifying, reading and keeping them.

May import core, settings and log; never speaks to a store itself: what a store streams is handed in.
"""
