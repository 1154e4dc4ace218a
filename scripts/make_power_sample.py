"""Make power.csv of backprop_cli/data/sample/: hourly loads of three made-up towns, drawn from a formula and a seed.

    python scripts/make_power_sample.py

Each town has its own height. Mornings and evenings peak, at weekends later; below 6 °C there is heating; and the load
wanders about that: an autoregressive process, of which the last hours tell something about the next.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).resolve().parent.parent / "backprop_cli" / "data" / "sample"
TOWNS = {"Auben": (40, 20.0), "Birkach": (55, 25.0), "Calden": (25, 14.0)}  # mean load, height of its evening, in MW
HOURS = 24 * 7 * 6


def main() -> None:
    rng = np.random.default_rng(0)
    start = datetime(2024, 1, 8)
    front = np.zeros(HOURS)  # weather that all towns share
    for t in range(1, HOURS):
        front[t] = 0.99 * front[t - 1] + rng.normal(0, 0.5)
    rows = []
    for town, (mean, evening) in TOWNS.items():
        drift = 0.0
        for t in range(HOURS):
            hour, free = t % 24, t // 24 % 7 > 4
            warm = 4 + front[t] + 3 * np.sin((hour - 9) / 12 * np.pi) + rng.normal(0, 0.4)
            drift = 0.9 * drift + rng.normal(0, 0.02 * mean)
            load = mean * (0.9 if free else 1) + drift + 0.03 * mean * max(0.0, 6 - warm)
            for height, peak in ((0.5 * evening, 10 if free else 7), (evening, 20 if free else 18)):
                load += height * np.exp(-(((hour - peak) / 2.5) ** 2))
            moment = (start + timedelta(hours=t)).strftime("%Y-%m-%d %H:%M")
            rows.append([moment, town, f"{warm:.1f}", f"{load:.1f}"])
    rows.sort()  # as a log has it: hour by hour, all towns
    with open(SAMPLE / "power.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hour", "town", "temperature", "load"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
