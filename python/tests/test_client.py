"""`Client` finds runs, artifacts, stacks and components, and says what is known of them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from partita import Client, PartitaError, StepFailedError, log_metadata, pipeline, step

pytestmark = pytest.mark.usefixtures("project")


@step
def split(x: int) -> tuple[Annotated[int, "low"], Annotated[bytes, "high"]]:
    if x < 0:
        raise ValueError("no way")
    return x, bytes(20_000)


@pipeline
def tried(x: int = 10, words: tuple[str, ...] = ("a",)):
    split(x)


def test_runs_and_artifacts_are_listed_and_filtered() -> None:
    for _ in range(3):
        tried()
    with pytest.raises(StepFailedError):
        tried(-1)
    client = Client()
    assert len(client.list_runs()) == 4
    assert [one.status for one in client.list_runs(status="failed")] == ["failed"]
    assert len(client.list_runs(limit=2, pipeline="tried")) == 2
    assert client.list_runs(pipeline="other") == []
    assert client.list_runs(name=client.get_run("latest").name)[0].status == "failed"
    assert client.get_artifact("tried.split.low").load() == 10
    assert {one.name for one in client.list_artifacts()} == {"tried.split.low", "tried.split.high"}
    assert len(client.list_artifacts(artifact="tried.split.low", limit=1)) == 1
    assert client.list_artifacts(run="latest") == []


def test_a_run_says_its_parameters_and_what_was_noted_of_it_in_lists_too() -> None:
    run = tried(3)
    log_metadata({"owner": "me"}, run=run)
    for found in [Client().get_run("latest"), *Client().list_runs()]:
        assert found.parameters == {"x": 3, "words": ("a",)}
        assert found.metadata == {"owner": "me"}


def test_stacks_and_components_are_listed_with_their_configuration() -> None:
    client = Client()
    store = {"name": "default", "type": "artifact_store", "flavor": "local", "config": {}}
    orchestrator = {**store, "type": "orchestrator"}
    assert client.list_components("orchestrator") == [orchestrator]
    assert client.list_components("artifact_store") == [store]
    assert client.list_components("artifact-store") == [store]
    stack = {"name": "default", "orchestrators": [orchestrator], "artifact_store": store}
    assert client.list_stacks() == [stack]


@pytest.mark.parametrize(
    ("ask", "word"),
    [
        (lambda client: client.list_runs(status="nonsense"), "`completed`"),
        (lambda client: client.list_runs(limit=-1), "`limit`"),
        (lambda client: client.list_artifacts(limit=-1), "`limit`"),
        (lambda client: client.list_artifacts(run="nonsense"), "no run `nonsense`"),
        (lambda client: client.list_components("nonsense"), "`artifact_store`"),
        (lambda client: client.get_run("nonsense"), "no run `nonsense`"),
        (lambda client: client.get_artifact("nonsense"), "no artifact `nonsense`"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(ask: Any, word: str) -> None:
    with pytest.raises(PartitaError, match=word):
        ask(Client())
