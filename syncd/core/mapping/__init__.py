"""The mapping: one file's bytes to keys and values, each with the place that says so.

The way of a file: ``file`` chooses (expand or opaque), ``compose`` or ``json_reader`` makes nodes, ``walk`` makes keys
of them, with ``merge`` for ``<<``, ``scalars`` for what one scalar means and ``json_text`` for what stays whole.
``writing`` goes the other way. Nothing here raises on bad input: what is wrong becomes a Problem.
"""
