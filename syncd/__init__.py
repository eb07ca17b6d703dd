"""syncd keeps a Consul KV store equal to a git-tracked YAML tree.

Rooms, from the top down (imports point downward only; import-linter proves it)::

    cli                                    commands, a person's door
    wiring                                 the one place that builds everything
    web                                    HTTP API and page
    daemon                                 the loops that join the rooms
    git  store  fanout  snapshots  embedded
    settings  log  database
    core                                   pure: values in, values out
"""

__version__ = "0.1.0"
