"""Which options' effects cannot be told apart, from the design matrix of coded levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracker.design.varied import Design

_ALIASED = 1e-8
"""Entries of the projection below this are rounding of zero."""

_MOST_COLUMNS = 300
"""A design matrix with more columns than this codes an option by its level's place rather than by a column a level."""


def aliases(design: Design, option: str) -> tuple[str, ...]:
    """Name the options whose effects cannot be told from that of `option`.

    Parameters
    ----------
    design : Design
    option : str
        One that varies.

    Returns
    -------
    tuple of str
        In the design's order. Where effects simply add up, those that share the option's place in the null space of
        the design matrix; where none does, the option was still never varied alone if it has no contrast: then every
        other option that varies.
    """
    others = tuple(name for name in design.options if name != option)
    mixed_by, owners = design.mixing
    mine = owners == design.options.index(option)
    mixed = mixed_by[mine].max(axis=0) > _ALIASED
    found = {design.options[owner] for owner in owners[mixed & ~mine] if owner >= 0}
    return tuple(name for name in others if name in found) or others


def mixing(codes: NDArray[np.int64], sizes: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Tell how far each column of the design matrix is mixed with each other one, and the option of each column.

    Parameters
    ----------
    codes : ndarray of int, shape (n_runs, n_options)
        As in `Design`.
    sizes : sequence of int, length n_options
        The number of levels of each option.

    Returns
    -------
    mixed : ndarray, shape (n_columns, n_columns)
        How far the projection on the row space is from leaving each column fixed; 0 where it can be estimated apart.
    owners : ndarray of int, shape (n_columns,)
        The place of the option that each column codes, -1 for the constant.
    """
    matrix, owners = _design_matrix(codes, sizes)
    return np.abs(np.linalg.pinv(matrix) @ matrix - np.eye(matrix.shape[1])), owners


def _design_matrix(codes: NDArray[np.int64], sizes: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct rows of coded levels with a constant, and the option of each column (-1: the constant)."""
    codes = np.unique(codes, axis=0)
    if sum(sizes) > _MOST_COLUMNS:
        columns = [codes[:, [i]].astype(float) for i in range(len(sizes))]
    else:
        columns = [np.equal(codes[:, [i]], np.arange(1, size)).astype(float) for i, size in enumerate(sizes)]
    owners = np.repeat(np.arange(len(columns)), [column.shape[1] for column in columns])
    constant = np.ones((len(codes), 1))
    return np.hstack([constant, *columns]), np.concatenate([[-1], owners])
