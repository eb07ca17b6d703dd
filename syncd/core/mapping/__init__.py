"""The mapping: one file's bytes to keys and values, each with the place that says so."""
