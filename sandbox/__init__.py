"""The embedded default: real servers for a machine that has none.

Here belongs what stands in for the outside world (Postgres, AWS, the source systems) and the commands that
start and stop it. Nothing in the code locations or in `resources` may import from here: they only see
addresses in the environment, so that the same code runs against real servers.
"""
