"""A step's hooks know which step they are called for."""

from __future__ import annotations

import pytest

from partita import (
    PartitaError,
    StepFailedError,
    StepRetryConfig,
    get_step_context,
    log_metadata,
    pipeline,
    step,
)

pytestmark = pytest.mark.usefixtures("project")


def test_a_hook_knows_its_step_and_attempt() -> None:
    seen: list[tuple[str, int, dict[str, object]]] = []

    def look() -> None:
        context = get_step_context()
        seen.append((context.step_name, context.attempt, context.parameters))

    @step(on_success=look)
    def good(x: int) -> int:
        return x

    @step(on_failure=look, retry=StepRetryConfig(max_retries=1))
    def bad(x: int, y: int) -> int:
        raise ValueError(x + y)

    @pipeline
    def looked():
        bad(good(1, id="first"), 2)

    with pytest.raises(StepFailedError):
        looked()
    assert seen == [("first", 1, {"x": 1}), ("bad", 2, {"y": 2})]


def test_what_a_hook_notes_is_about_the_run_and_never_lost_in_silence() -> None:
    refusals: list[str] = []

    def note() -> None:
        context = get_step_context()
        for refused in (lambda: log_metadata({"a": 1}), context.output_folder):
            with pytest.raises(PartitaError) as refusal:
                refused()
            refusals.append(str(refusal.value))
        log_metadata({"alerted": True}, run=context.run_id)

    @step(on_success=note)
    def good() -> int:
        return 1

    @pipeline
    def noted():
        good()

    assert noted().metadata == {"alerted": True}
    assert len(refusals) == 2 and all("step `good` has ended" in one for one in refusals)
