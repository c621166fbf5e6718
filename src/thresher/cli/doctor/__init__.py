"""`thresher doctor`: what Thresher needs, and whether it is there.

It uses what it looks at, as Thresher would; it makes no data dir, no database and no table.
"""
