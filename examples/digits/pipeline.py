"""Reads handwritten digits with three kinds of model, and keeps the one that reads best.

Run it from any folder:

    partita run examples/digits/pipeline.py
    partita run examples/digits/pipeline.py --param seed=3

The 1,797 pictures of 8 by 8 pixels come with scikit-learn, so nothing is fetched.
"""

from typing import Annotated

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline as Model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from partita import log_metadata, pipeline, step
from picture import draw_report

BRIGHTEST_PIXEL = 16.0


@step
def load() -> tuple[Annotated[np.ndarray, "images"], Annotated[np.ndarray, "labels"]]:
    """Loads the pictures, one row of 64 pixels between 0 and 1 each, and what they show."""
    images, labels = load_digits(return_X_y=True)
    return np.asarray(images) / BRIGHTEST_PIXEL, np.asarray(labels)


@step
def split(
    images: np.ndarray, labels: np.ndarray, test_share: float, seed: int
) -> tuple[
    Annotated[np.ndarray, "train_images"],
    Annotated[np.ndarray, "test_images"],
    Annotated[np.ndarray, "train_labels"],
    Annotated[np.ndarray, "test_labels"],
]:
    """Puts a share of the pictures aside for the test, the same share of every digit."""
    parts = train_test_split(
        images, labels, test_size=test_share, random_state=seed, stratify=labels
    )
    train_images, test_images, train_labels, test_labels = (np.asarray(part) for part in parts)
    return train_images, test_images, train_labels, test_labels


@step
def train_regression(images: np.ndarray, labels: np.ndarray) -> Annotated[Model, "model"]:
    """Trains the simplest of the three: one weight a pixel and digit."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(
        images, labels
    )


@step
def train_support_vectors(
    images: np.ndarray, labels: np.ndarray, penalty: float = 10.0
) -> Annotated[Model, "model"]:
    """Trains a support vector machine, which compares a picture with those at the borders."""
    return make_pipeline(SVC(C=penalty, gamma="scale")).fit(images, labels)


@step
def train_forest(
    images: np.ndarray, labels: np.ndarray, seed: int, trees: int = 200
) -> Annotated[Model, "model"]:
    """Trains a random forest: many decision trees that vote."""
    return make_pipeline(RandomForestClassifier(n_estimators=trees, random_state=seed)).fit(
        images, labels
    )


@step
def evaluate(
    model: Model, images: np.ndarray, labels: np.ndarray
) -> tuple[Annotated[float, "accuracy"], Annotated[np.ndarray, "predictions"]]:
    """Measures how many of the test pictures a model reads right."""
    predictions = model.predict(images)
    accuracy = float(accuracy_score(labels, predictions))
    log_metadata({"accuracy": accuracy, "misread": int((labels != predictions).sum())})
    return accuracy, predictions


@step
def choose_best(
    regression: Model,
    regression_accuracy: float,
    support_vectors: Model,
    support_vectors_accuracy: float,
    forest: Model,
    forest_accuracy: float,
) -> tuple[Annotated[Model, "model"], Annotated[dict[str, float], "accuracies"]]:
    """Chooses the model with the highest accuracy; the simpler one where two are equal."""
    candidates = {
        "logistic regression": (regression, regression_accuracy),
        "support vectors": (support_vectors, support_vectors_accuracy),
        "random forest": (forest, forest_accuracy),
    }
    best = max(candidates, key=lambda name: candidates[name][1])
    return candidates[best][0], {name: accuracy for name, (_, accuracy) in candidates.items()}


@step
def report(
    model: Model, accuracies: dict[str, float], images: np.ndarray, labels: np.ndarray
) -> tuple[Annotated[Image.Image, "picture"], Annotated[dict[str, str | int | float], "summary"]]:
    """Draws what the chosen model confuses, and sums the run up."""
    predictions = model.predict(images)
    best = max(accuracies, key=lambda name: accuracies[name])
    summary = {
        "model": best,
        "accuracy": accuracies[best],
        "pictures": len(labels),
        "misread": int((labels != predictions).sum()),
    }
    print(f"Best: {best}, {accuracies[best]:.1%} of {len(labels)} test pictures read right.")
    return draw_report(images, labels, predictions, accuracies=accuracies), summary


@pipeline(name="digits")
def digits(test_share: float = 0.25, seed: int = 7):
    """Trains three models on one split, each in a branch of its own, and reports on the best."""
    images, labels = load()
    train_images, test_images, train_labels, test_labels = split(images, labels, test_share, seed)

    regression = train_regression(train_images, train_labels)
    support_vectors = train_support_vectors(train_images, train_labels)
    forest = train_forest(train_images, train_labels, seed)

    regression_accuracy, _ = evaluate(
        regression, test_images, test_labels, id="evaluate_regression"
    )
    support_vectors_accuracy, _ = evaluate(
        support_vectors, test_images, test_labels, id="evaluate_support_vectors"
    )
    forest_accuracy, _ = evaluate(forest, test_images, test_labels, id="evaluate_forest")

    model, accuracies = choose_best(
        regression,
        regression_accuracy,
        support_vectors,
        support_vectors_accuracy,
        forest,
        forest_accuracy,
    )
    report(model, accuracies, test_images, test_labels)


if __name__ == "__main__":
    digits()
