"""Values with a format of their author's own pass in Rust, and from one language to the other."""

from __future__ import annotations

import pytest

from conftest import Project
from partita import Client
from process_stack import partita
from rust_programs import VOCABULARY, start

MAIN = f"""
    from pathlib import Path
    from typing import Annotated, Any

    from partita import BaseMaterializer, Program, pipeline, step

    program = Program({VOCABULARY!r})

    class Vocabulary:
        def __init__(self, words: list[str]) -> None:
            self.words = words

    class VocabularyMaterializer(BaseMaterializer):
        ASSOCIATED_TYPES = (Vocabulary,)
        FORMAT = "vocabulary"

        def save(self, data: Vocabulary) -> None:
            Path(self.uri, "words.txt").write_text("\\n".join(data.words))

        def load(self, data_type: Any) -> Vocabulary:
            return Vocabulary(Path(self.uri, "words.txt").read_text().splitlines())

    @step
    def collect(text: str) -> Annotated[Vocabulary, "vocabulary"]:
        return Vocabulary(sorted(set(text.split())))

    @step
    def shout(vocabulary: Vocabulary) -> str:
        return " ".join(vocabulary.words).upper()

    @step
    def words() -> list[str]:
        return ["a", "b"]

    @pipeline
    def both_ways():
        program.step("count")(collect("é b é"))
        shout(program.step("collect")("é b é", id="collect_in_rust"))

    @pipeline
    def another_format():
        program.step("count")(words())
"""


@pytest.mark.parametrize("flavor", ["local", "process"])
def test_a_value_of_a_format_of_ones_own_passes_and_is_cached(
    project: Project, command: str, flavor: str
) -> None:
    if flavor != "local":
        partita(command, "orchestrator", "register", "other", f"--flavor={flavor}")
        partita(command, "stack", "register", "other", "-o", "other", "-a", "default", "--set")
    for status in ("completed", "cached"):
        assert start(VOCABULARY, "run").returncode == 0
        steps = Client().get_run("latest").steps
        assert {step.status for step in steps.values()} == {status}
        assert steps["count"].output.load() == 2
    made = steps["collect"].output
    assert (made.materializer, made.type) == ("vocabulary", "vocabulary.Vocabulary")


def test_a_value_that_cannot_be_saved_fails_its_step_with_what_its_author_says(
    project: Project,
) -> None:
    ran = start(VOCABULARY, "run", "--param", "text= ")
    assert ran.returncode == 1
    assert "cannot be stored: a vocabulary has words, and this one has none" in ran.stderr
    assert Client().get_run("latest").steps["collect"].status == "failed"


def test_a_materializer_in_python_of_the_same_format_reads_and_writes_the_same(
    project: Project,
) -> None:
    project.write("main.py", MAIN)
    done = project.run("main.py:both_ways")
    assert done.code == 0, done
    steps = Client().get_run("latest").steps
    assert steps["count"].output.load() == 2
    assert steps["shout"].output.load() == "B É"


def test_a_value_of_another_format_is_refused_with_both(project: Project) -> None:
    project.write("main.py", MAIN)
    done = project.run("main.py:another_format")
    assert done.code == 1
    assert "it is stored in the format `json`, not `vocabulary`" in done.err
