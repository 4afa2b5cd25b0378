from statistics import linear_regression
from typing import Annotated

from partita import pipeline, step


@step
def load(count: int) -> tuple[Annotated[list[float], "x"], Annotated[list[float], "y"]]:
    x = [i / count for i in range(count)]
    return x, [3 * value + 1 for value in x]


@step
def fit(x: list[float], y: list[float]) -> tuple[Annotated[float, "slope"], Annotated[float, "at"]]:
    slope, at = linear_regression(x, y)
    return slope, at


@step
def report(slope: float, at: float) -> str:
    found = f"y = {slope:.2f} x + {at:.2f}"
    print(found)
    return found


@pipeline
def line(count: int = 100):
    x, y = load(count)
    slope, at = fit(x, y)
    report(slope, at)
