"""Imported last by the process to fork from: spare garbage collectors, its children's too, what it has loaded."""

import gc

gc.collect()
gc.freeze()
