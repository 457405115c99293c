"""Side-by-side measurements: our code beside the limit of what it does, and beside a peer that does the same.

`python -m benchmarks` starts a Postgres server of its own, runs everything interleaved in one run and prints one table.
Nothing here is imported by the project, and no measurement is a test: a number that is missed is printed, not raised.
"""
