"""Parts of dates as ONNX operators: arithmetic where `data.files.features` asks NumPy's calendar."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backprop_cli.commands.export.graph import Graph

DAY = 86_400  # seconds
ERA = 146_097  # days in 400 years, after which the calendar repeats


def parts(graph: Graph, days: str, names: Sequence[str]) -> list[str]:
    """The parts (N, 1) of float64 days since 1970-01-01, named as in `dataset.columns`.

    Years are counted from 1 March, so that a leap day is the last day of its year, and months follow from days by one
    division: Hinnant 2021, chrono-compatible low-level date algorithms, https://howardhinnant.github.io/date_algorithms.html
    """

    def op(name: str, a: str, b: str | int) -> str:
        output = graph.add(name, a, b if isinstance(b, str) else graph.constant([b], "int64"))
        graph.kinds[output] = "int64"
        return output

    def floor(a: str, b: int) -> str:
        return op("Div", op("Sub", a, op("Mod", a, b)), b)  # Div of whole numbers rounds towards 0

    def leaps(year: str) -> str:
        return op("Add", op("Sub", floor(year, 4), floor(year, 100)), floor(year, 400))

    seconds = graph.add("Round", graph.add("Mul", days, graph.constant([float(DAY)], "float64")))
    moment = graph.cast(seconds, "int64")
    date = floor(moment, DAY)
    time = op("Mod", moment, DAY)
    since = op("Add", date, 719_468)  # days since 1 March of year 0
    era = floor(since, ERA)
    rest = op("Mod", since, ERA)
    leap = op("Sub", op("Sub", op("Div", rest, 1460), op("Div", rest, 36_524)), op("Mul", op("Div", rest, ERA - 1), -1))
    spring = op("Div", op("Sub", rest, leap), 365)  # years since the era began
    day = op("Sub", rest, op("Add", op("Mul", spring, 365), op("Sub", op("Div", spring, 4), op("Div", spring, 100))))
    month = op("Div", op("Add", op("Mul", day, 5), 2), 153)  # since March
    year = op("Add", op("Add", op("Mul", era, 400), spring), op("Div", month, 10))
    before = op("Sub", year, 1)  # whole years
    of_unit: dict[str, Callable[[], str]] = {
        "days": lambda: days,
        "year": lambda: year,
        "quarter": lambda: op("Add", op("Div", op("Mod", op("Add", month, 2), 12), 3), 1),
        "month": lambda: op("Add", op("Mod", op("Add", month, 2), 12), 1),
        "day": lambda: op("Sub", op("Add", day, 1), op("Div", op("Add", op("Mul", month, 153), 2), 5)),
        "day_of_year": lambda: op("Sub", op("Add", date, 719_163), op("Add", op("Mul", before, 365), leaps(before))),
        "weekday": lambda: op("Mod", op("Add", date, 3), 7),  # 1970-01-01 was a Thursday
        "hour": lambda: op("Div", time, 3600),
        "minute": lambda: op("Mod", op("Div", time, 60), 60),
    }
    return [of_unit[name]() for name in names]
