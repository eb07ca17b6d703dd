"""The one place that builds everything, from settings: a file for each thing that is opened.

May import every room but the commands. Holds no rule of its own: it hands each part what it stands on. Import its files
one by one: a command that only reads then loads no daemon.
"""
