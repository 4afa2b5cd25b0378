"""Draws the report of the digits example: what was confused, by whom, and what it looked like."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from sklearn.metrics import confusion_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1f2933"
QUIET = "#8a94a0"
ACCENT = "#1f5fa8"
PALE = "#c9d6e6"
WIDTH, HEIGHT = 10.4, 6.0  # inches
COLUMN = 0.55  # where the right half begins, as a share of the width
MOST_MISREAD_SHOWN = 10
STYLE: dict[Any, Any] = {"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK}


def draw_report(
    images: np.ndarray, labels: np.ndarray, predictions: np.ndarray, *, accuracies: dict[str, float]
) -> Image.Image:
    """Draws the report of one model.

    Args:
        images: The test pictures, (n, 64), between 0 and 1.
        labels: The digits they show, (n,).
        predictions: The digits that were read, (n,).
        accuracies: The accuracy of every model, by name; the best is the one reported on.

    Returns:
        A picture of 1,560 by 900 pixels.
    """
    best = max(accuracies, key=lambda name: accuracies[name])
    misread = np.flatnonzero(labels != predictions)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=150, facecolor="white")
        right = len(labels) - len(misread)
        figure.text(0.05, 0.935, "Handwritten digits", fontsize=17, fontweight="bold")
        figure.text(
            0.05, 0.89, f"{best}: {right} of {len(labels)} test pictures read right", color=QUIET
        )
        _draw_confusion(figure.add_axes((0.08, 0.115, 0.41, 0.7107)), labels, predictions)
        _draw_errors(figure, accuracies, best)
        _draw_misread(figure, images[misread], labels[misread], predictions[misread])
        return _rendered(figure)


def _draw_confusion(axes: Axes, labels: np.ndarray, predictions: np.ndarray) -> None:
    """Draws the counts of what was shown against what was read; empty cells stay empty.

    The shades are those of each row's share, so that a rare confusion can still be seen beside
    the many pictures that were read right.
    """
    counts = confusion_matrix(labels, predictions, labels=range(10))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0.0, vmax=1.15)
    for shown, read in np.argwhere(counts > 0):
        dark = shares[shown, read] > 0.3
        axes.text(
            read, shown, str(counts[shown, read]), color="white" if dark else INK,
            ha="center", va="center", fontweight="bold" if shown == read else "normal",
        )  # fmt: skip
    axes.set_xticks(range(10))
    axes.set_yticks(range(10))
    axes.set_xticks(np.arange(-0.5, 10), minor=True)
    axes.set_yticks(np.arange(-0.5, 10), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.spines[:].set_color(PALE)
    axes.set_xlabel("digit read", color=QUIET, labelpad=6)
    axes.set_ylabel("digit shown", color=QUIET, labelpad=6)


def _draw_errors(figure: Figure, accuracies: dict[str, float], best: str) -> None:
    """Draws the share of pictures that each model misread, the best model on top."""
    figure.text(COLUMN, 0.80, "Misread, by model", fontsize=11, fontweight="bold")
    axes = figure.add_axes((COLUMN + 0.145, 0.56, 0.26, 0.21))
    names = sorted(accuracies, key=lambda name: accuracies[name])
    errors = [1.0 - accuracies[name] for name in names]
    bars = axes.barh(
        range(len(names)), errors, height=0.6, color=[ACCENT if n == best else PALE for n in names]
    )
    axes.bar_label(bars, labels=[f"{error:.1%}" for error in errors], padding=5, color=INK)
    for row, name in enumerate(names):
        axes.text(-0.145 / 0.26, row, name, transform=axes.get_yaxis_transform(), va="center")
    axes.set_xlim(0, max(*errors, 0.001) * 1.25)
    axes.set_axis_off()


def _draw_misread(
    figure: Figure, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray
) -> None:
    """Draws the first misread pictures, with what they show and what was read instead."""
    size, columns = 0.064, 5
    shown = min(len(labels), MOST_MISREAD_SHOWN)
    title = f"All {shown} misread" if shown == len(labels) else f"{shown} of {len(labels)} misread"
    figure.text(COLUMN, 0.475, f"{title}: shown → read", fontsize=11, fontweight="bold")
    for index in range(shown):
        row, column = divmod(index, columns)
        height = size * WIDTH / HEIGHT
        axes = figure.add_axes((COLUMN + column * 0.082, 0.335 - row * 0.185, size, height))
        axes.imshow(images[index].reshape(8, 8), cmap="Greys", vmin=0.0, vmax=1.0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(PALE)
        axes.set_xlabel(f"{labels[index]} → {predictions[index]}", labelpad=3)


def _rendered(figure: Figure) -> Image.Image:
    """Turns a figure into a picture that holds nothing but its pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
