"""Whether strangers' files, servers and surroundings can do harm: hundreds of hostile cases, each run as real commands.

    python -m bench.hostile [--only KIND] [--case NAME] [--short] [--jobs 2] [--seed 0] [--write docs/faults.md]

Every case is a copy of one small project with something hostile or odd in it, in a throw-away folder. Beside it lie
decoys: a home with a private key, another project, a file that nobody may touch. The environment has credentials, and
another port of this machine, which nobody may talk to, writes down whatever is sent to it. After its commands a case
has failed if anything outside the project changed, was read into it or was sent; if a credential, a traceback or a
control character was seen; if a command took over 20 s or ended with a status that isn't documented; or if a run that
has nothing to do with the hostile one is no longer listed. The cases are the same for the same seed. Exit status 1 if
any case failed.
"""
