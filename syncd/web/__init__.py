"""The HTTP API of a running daemon.

HTTP only, no policy: what is answered and ordered goes through ``daemon/door.py``.
"""
