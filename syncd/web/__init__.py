"""The HTTP door and the page.

Stands empty until the issue on fan-out fills it. Holds no policy: it calls what the rooms below offer.
"""
