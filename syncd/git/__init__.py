"""The desired state: what a git repository says.

Owns reading a tree at a commit (or the work tree), following refs, and questions on history.
May import core, settings and log. Speaks to git only through the git command line, by plumbing commands that
run no code of the repository. Never checks anything out, never writes to the repository, never speaks to a store.
"""
