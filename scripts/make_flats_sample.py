"""Make flats.csv of backprop_cli/data/sample/: rents of flats that nobody lives in, drawn from a formula and a seed.

    python scripts/make_flats_sample.py

Numbers, categories, dates, yes and no, and gaps in one table, as a user's own has them. The rent per square metre
depends on the quarter, of which there are thirty, most with few flats.
"""

import csv
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).resolve().parent.parent / "backprop_cli" / "data" / "sample"
QUARTERS = (
    "Altstadt", "Bahnhof", "Berg", "Brunnen", "Burg", "Damm", "Eichen", "Feld", "Fluss", "Garten", "Hafen", "Heide",
    "Hof", "Insel", "Kirchen", "Linden", "Markt", "Mühlen", "Nord", "Ost", "Park", "Rathaus", "See", "Sonnen", "Süd",
    "Tal", "Ufer", "Wald", "West", "Wiesen",
)  # fmt: skip


def main() -> None:
    rng = np.random.default_rng(0)
    price = rng.normal(11, 3, len(QUARTERS)).clip(6)
    share = rng.dirichlet(np.full(len(QUARTERS), 0.8))
    kinds = {"house": 1.05, "block": 0.95, "villa": 1.3}
    rows = []
    for _ in range(1200):
        quarter, kind = int(rng.choice(len(QUARTERS), p=share)), str(rng.choice([*kinds], p=[0.45, 0.45, 0.1]))
        area, built, month = float(rng.gamma(9, 8)), int(rng.integers(1900, 2024)), int(rng.integers(1, 13))
        balcony, year = bool(rng.random() < 0.4), int(rng.integers(2021, 2025))
        age = 1 - 0.15 * np.sin((built - 1900) / 124 * np.pi)  # old and new are dear
        rent = area * price[quarter] * kinds[kind] * age * (1.06 if balcony else 1) * 1.03 ** (year - 2021)
        rent *= np.exp(rng.normal(0, 0.06)) * (1.02 if month in (8, 9, 10) else 1)
        day = f"{year}-{month:02}-{int(rng.integers(1, 29)):02}"
        shown = ["" if rng.random() < 0.08 else f"{area:.1f}", "" if rng.random() < 0.05 else built]
        rows.append([*shown, QUARTERS[quarter], kind, "yes" if balcony else "no", day, round(float(rent))])
    with open(SAMPLE / "flats.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["area", "built", "quarter", "house", "balcony", "let", "rent"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
