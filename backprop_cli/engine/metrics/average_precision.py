from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.ranking import Ranking


@metric("average_precision", "average_precision_score", "pr_auc")
class AveragePrecision(Ranking):
    """Area under the steps of the precision-recall curve: the mean precision at which each yes is found.

    AP = Σ_n (R_n − R_{n−1}) P_n          precision P, recall R with all from the n-th score up as yes
    Of more than two classes, or several yes/no outputs, it is the mean over those that have a yes. The scores of an
    epoch are kept until its end.
    """

    def question(self, scores: Array, yes: Array) -> float | None:
        if not yes.any():
            return None
        order = np.argsort(-scores, kind="stable")
        hits, ends = np.cumsum(yes[order]), np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
        recall = hits[ends] / hits[-1]
        return float((np.diff(recall, prepend=0) * hits[ends] / (ends + 1)).sum())
