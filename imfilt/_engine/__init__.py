"""The engine: every check and message, borders, the plan, bands and threads, the build of the core.

    image ─▶ checks ─▶ plan ─▶ bands (threads) ─▶ core (isa) ─▶ out

`apply` is the one way in for the floors above.
"""
