"""Predicted against true classes: the confusion matrix, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array

MAX_MATRIX = 1000  # classes; the words of a text would make one of gigabytes


def confusion_matrix(predicted: Array, truth: Array, classes: int) -> Array:
    """C[i, j] = how many of true class i were predicted to be j.  (classes, classes)"""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def class_report(predicted: Sequence[Array], truth: Sequence[Array], names: Sequence[str] | None) -> dict[str, Any]:
    """The confusion matrix, the names of its rows, and precision, recall, F1 and support of each class.

    precision = C[k, k] / Σ_i C[i, k]    recall = C[k, k] / Σ_j C[k, j]    F1 = their harmonic mean;
    null where the denominator is 0. All empty without classes; the matrix also with more than 1,000 of them.
    """
    if not names or not predicted:
        return {"confusion_matrix": [], "classes": [], "per_class": []}
    guess, fact, k = np.concatenate(predicted), np.concatenate(truth), len(names)
    matrix = confusion_matrix(guess, fact, k).tolist() if k <= MAX_MATRIX else []
    right, guessed, actual = (np.bincount(ids, minlength=k) for ids in (fact[guess == fact], guess, fact))
    return {"confusion_matrix": matrix, "classes": list(names), "per_class": _rows(names, right, guessed, actual)}


def label_report(predicted: Sequence[Array], truth: Sequence[Array], names: Sequence[str]) -> dict[str, Any]:
    """The rows of outputs that each say yes or no, (rows, outputs) of 0 and 1: those of their yes. No matrix, for
    nothing is taken for something else; all empty where there are no such outputs."""
    if not predicted:
        return {"confusion_matrix": [], "classes": [], "per_class": []}
    guess, fact = np.concatenate(predicted), np.concatenate(truth)
    rows = _rows(names, (guess & fact).sum(axis=0), guess.sum(axis=0), fact.sum(axis=0))
    return {"confusion_matrix": [], "classes": list(names), "per_class": rows}


def _rows(names: Sequence[str], right: Array, guessed: Array, actual: Array) -> list[dict[str, Any]]:
    return [
        {
            "class": name,
            "precision": float(right[k] / guessed[k]) if guessed[k] else None,
            "recall": float(right[k] / actual[k]) if actual[k] else None,
            "f1": float(2 * right[k] / (guessed[k] + actual[k])) if guessed[k] + actual[k] else None,
            "support": int(actual[k]),
        }
        for k, name in enumerate(names)
    ]
