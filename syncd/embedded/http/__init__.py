"""Consul's HTTP API over a node: paths, parameters, bodies, statuses and texts."""
