"""The core: values in, values out.

Owns keys, entries, the YAML mapping, diff, plan and its guards, batches, the state tables and the error tree.
May import the standard library's pure parts, PyYAML and msgspec.
Never does I/O, reads a clock, logs, draws random numbers or imports asyncio: whoever calls passes those in.
"""
