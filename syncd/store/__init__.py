"""The live state: what a Consul KV store holds.

Owns the address and credentials, the transport under py-consul, reads, transactions, blocking queries, sessions and
the lease. May import core, settings and log. The only room that speaks to a store, real or embedded: nowhere else
does the code know which of the two it talks to. Never decides what to write.
"""
