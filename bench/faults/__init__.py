"""Whether runs survive: training killed again and again, a server that dies amid sending, many first opens at once.

    python -m bench.faults [--kills 100] [--server-deaths 20] [--opens 50] [--seed 0] [--write docs/faults.md]

Each of the three may be left out with 0. What is tried is the same for the same seed; at which line of code a kill
strikes is up to the machine. Exit status 1 if anything was lost.
"""
