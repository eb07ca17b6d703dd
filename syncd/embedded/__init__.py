"""A single-node store that speaks Consul's HTTP API, on SQLite.

Owns its state, index rules, locks, blocking queries and durable log. May import core, settings and log. Reached only
over HTTP, as a Consul is: no other room imports its state.

``tree``, ``state``, ``step``, ``verbs``, ``apply``, ``sessions``, ``restore`` are the pure state machine, ``snapshots``
its archive; ``database``, ``commits`` the durable log; ``watches``, ``node`` the store as it runs; ``http`` Consul's
API over it; ``server`` the door.
"""
