from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.ranking import Ranking


@metric("auc", "roc_auc", "roc_auc_score")
class AUC(Ranking):
    """Area under the ROC curve: the chance that a random yes gets a higher score than a random no, ties counting half.

    AUC = (Σ ranks of the yes − n₁ (n₁ + 1)/2) / (n₀ n₁)          n₁ yes, n₀ no; tied scores share their mean rank
    It depends on the order of the scores alone. Of more than two classes each is held against the rest, of several
    yes/no outputs each is a question of its own; then it is the mean over those that have both yes and no. The
    scores of an epoch are kept until its end. Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747
    """

    def question(self, scores: Array, yes: Array) -> float | None:
        positive = int(np.count_nonzero(yes))
        pairs = positive * (len(yes) - positive)
        if not pairs:
            return None
        _, positions, counts = np.unique(scores, return_inverse=True, return_counts=True)
        ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of each group of equal scores
        return float((ranks[positions.reshape(-1)][yes].sum() - positive * (positive + 1) / 2) / pairs)
