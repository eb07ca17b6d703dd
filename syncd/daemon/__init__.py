"""The loops that join the rooms: follow git, hold the lease, plan, apply.

Owns the order of things: who reads when, what happens in doubt, how it starts and stops. May import every room below.
Holds no rule of its own on keys, plans or guards: those are the core's.
"""
