"""One configuration's accuracy over seeds and clips, both taken as samples.

Conventions: `right` says which repetition (row) is right on which clip (column).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

from tracker.statistics.crossed import NOTHING, by_group, mean_squares
from tracker.statistics.groups import Groups, effective_groups, group_codes, group_sums
from tracker.statistics.proportions import Interval, score_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray


def accuracy_over_seeds(right: NDArray[np.bool_], groups: Groups | None = None) -> Interval:
    """Return the 95 % interval of a configuration's mean accuracy on other clips under other seeds.

    Wilson's score interval for as many clips as, independent and judged once each, would leave the mean as uncertain as
    these do. Its variance is that of the crossed analysis, MS_R + max(MS_C - MS_E, 0) over r n. A share w of it, that
    of MS_R, is estimated from the r repetitions alone, the rest from the n clips, so that the quantile lies between
    Student's with r - 1 and with n - 1 degrees of freedom: their geometric mean, weighted by w and 1 - w. Where the
    repetitions do not differ in their means, MS_E stands for MS_R.

    Simulated (30 to 1,000 clips, training noise of 0 to 8 points, accuracies of 50 to 90 %), it holds the truth in 91 %
    to 99 % of experiments with 2 seeds, 96 % in the mean, and in 94 % to 98 % with 3 to 10; with clips in 10 to 100
    groups, of one size or very unequal, in 91 % to 99 %. With 2 seeds Satterthwaite's degrees of freedom hold it in
    84 % at worst and a bootstrap over seeds and clips in 76 %; Cochran's weights, the arithmetic mean of the quantiles,
    in 97.5 % in the mean.

    Parameters
    ----------
    right : ndarray of bool, shape (r, n)
        At least two repetitions on the same n clips.
    groups : sequence of hashable, length n, or None
        What counts as one column; of unequal ones fewer degrees of freedom are counted.

    Returns
    -------
    tuple of float
        All from 0 to 1 where there is but one clip, or one group of them. Where nothing varies, Wilson's for as many
        clips as there are columns of one size.

    Raises
    ------
    ValueError
        If there are fewer than two repetitions or not one group for each clip.

    References
    ----------
    Dorfman, D. D., Berbaum, K. S. and Metz, C. E. (1992). Receiver operating characteristic rating analysis.
    Investigative Radiology 27, 723-731. doi:10.1097/00004424-199209000-00015 (the variance)

    Dean, N. and Pagano, M. (2015). Evaluating confidence interval methods for binomial proportions in clustered
    surveys. Journal of Survey Statistics and Methodology 3, 484-503. doi:10.1093/jssam/smv024 (Wilson's interval for an
    effective number of clips)

    Cochran, W. G. and Cox, G. M. (1957). Experimental Designs, 2nd ed., section 4.14. Wiley. (quantiles weighted by the
    parts of the variance)
    """
    if len(right) < 2:
        raise ValueError(f"a spread over seeds needs at least two repetitions, got {len(right)}")
    columns, n = right.astype(np.float64), right.shape[1]
    worth = float(n)
    if groups is not None:
        columns = by_group(columns, groups)
        worth = effective_groups(group_sums(np.ones(n), group_codes(groups, n)))
    return _interval(columns, worth, float(right.mean())) if columns.shape[1] > 1 else (0.0, 1.0)


def _interval(columns: NDArray[np.float64], worth: float, mean: float) -> Interval:
    """Return the interval of `mean` from columns that are worth so many of one size."""
    r, n = columns.shape
    squares = mean_squares(columns)
    rows = squares.rows if squares.rows > NOTHING else squares.residual
    variance = rows + max(squares.columns - squares.residual, 0.0)
    of_rows, of_columns = scipy.special.stdtrit([r - 1, worth - 1], 0.975)
    if variance <= NOTHING:
        return score_interval(mean, worth, float(of_columns))
    share = rows / variance
    independent = mean * (1 - mean) * r * n / variance
    return score_interval(mean, independent, float(of_rows**share * of_columns ** (1 - share)))
