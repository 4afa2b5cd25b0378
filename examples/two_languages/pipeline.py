"""Tells which chapter of Python's manual a paragraph is from.

The texts are those that `help()` shows, which come with Python. A program in Rust makes numbers of
them, and scikit-learn learns from these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from partita import Program, pipeline, step

FEATURES = Program(Path(__file__).resolve().parents[2] / "target/release/features")
CHAPTERS = ("specialnames", "compound", "string-methods", "debugger")


@step
def paragraphs() -> tuple[Annotated[list[str], "texts"], Annotated[list[int], "chapters"]]:
    """Returns the paragraphs of some chapters that have more to say than a heading."""
    from pydoc_data.topics import topics

    found = [
        (text, number)
        for number, chapter in enumerate(CHAPTERS)
        for text in topics[chapter].split("\n\n")
        if len(text) > 150
    ]
    return [text for text, _ in found], [number for _, number in found]


@step
def train(shares: list[list[float]], chapters: list[int]) -> float:
    """Returns the share of paragraphs whose chapter is told by a model that has not seen them."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfTransformer(), LogisticRegression(C=100, max_iter=1000))
    return float(cross_val_score(model, shares, chapters, cv=5).mean())


@step
def report(accuracy: float, chapters: list[int]) -> str:
    """Compares the model with the best that one who does not read can do."""
    commonest = max(chapters.count(number) for number in range(len(CHAPTERS))) / len(chapters)
    text = f"{accuracy:.0%} of paragraphs are told, where {commonest:.0%} would be by one answer"
    print(text)
    return text


@pipeline
def chapters(words: int = 400):
    texts, labels = paragraphs()
    cleaned = FEATURES.step("clean")(texts)
    vocabulary = FEATURES.step("vocabulary")(cleaned, words)
    shares = FEATURES.step("count")(cleaned, vocabulary)
    report(train(shares, labels), labels)


if __name__ == "__main__":
    chapters()
