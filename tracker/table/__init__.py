"""Tables of results read as runs: a row a run, a run and sample, or a run and epoch. The room is a peer of the store.

`tracker.table.cells` reads CSV, TSV and Parquet files and data frames into columns of text, `tracker.table.columns`
says what each column is, and `tracker.table.runs` makes runs of the rows.
"""

from tracker.table.cells import TableError, cells_of, read_cells
from tracker.table.runs import TableRuns, runs_of

__all__ = ["TableError", "TableRuns", "cells_of", "read_cells", "runs_of"]
