"""Tensors, states and modules of torch come back the same, also between steps.

Skipped where torch is not installed: `make test-torch` installs and runs it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from partita import Client, materializers
from process_stack import use_process

pytest.importorskip("torch", reason="torch is not installed; see `make test-torch`")
pytest.importorskip("safetensors", reason="safetensors is not installed; see `make test-torch`")
# By name, so that type checks need not have torch installed.
torch: Any = importlib.import_module("torch")

SQUARE = torch.arange(6.0).reshape(2, 3)
PLAIN = "safetensors/torch"
OTHER = "torch"


def stored(value: Any, directory: Path) -> tuple[str, Any]:
    saved = materializers.save(value, str(directory))
    return saved.format, materializers.load(saved.format, str(directory))


@pytest.mark.parametrize(
    ("value", "format_id"),
    [
        (SQUARE, PLAIN),
        (SQUARE.to(torch.bfloat16), PLAIN),
        (torch.tensor(3.5), PLAIN),
        (torch.empty(0, 4), PLAIN),
        (torch.tensor([True, False]), PLAIN),
        (SQUARE.t(), OTHER),
        (SQUARE.to_sparse(), OTHER),
        (torch.tensor([1 + 2j]), PLAIN),
        (torch.ones(2, requires_grad=True), OTHER),
        (torch.nn.Parameter(torch.ones(2)), OTHER),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tensor_comes_back(value: Any, format_id: str, tmp_path: Path) -> None:
    used, back = stored(value, tmp_path)
    assert used == format_id
    assert type(back) is type(value)
    assert (back.dtype, back.shape, back.layout) == (value.dtype, value.shape, value.layout)
    assert back.requires_grad == value.requires_grad
    assert back.stride() == value.stride() if value.layout == torch.strided else True
    assert torch.equal(back.detach().to_dense(), value.detach().to_dense())


def test_a_state_comes_back_in_its_order_and_with_its_versions(tmp_path: Path) -> None:
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    used, back = stored(state, tmp_path)
    assert used == PLAIN
    assert type(back) is type(state)
    assert list(back) == list(state)
    assert back._metadata == state._metadata
    torch.testing.assert_close(back, state)


def test_tensors_that_share_memory_still_share_it(tmp_path: Path) -> None:
    used, back = stored({"whole": SQUARE, "row": SQUARE[0]}, tmp_path)
    assert used == OTHER
    back["whole"][0, 0] = 9
    assert back["row"][0] == 9


def test_tensors_inside_lists_are_stored_without_a_pickle(tmp_path: Path) -> None:
    _, back = stored([SQUARE, {"b": SQUARE + 1}], tmp_path)
    assert torch.equal(back[0], SQUARE)
    assert torch.equal(back[1]["b"], SQUARE + 1)


PIPELINE = """
    from typing import Annotated

    import torch
    from partita import pipeline, step

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.linear(x)

    @step
    def data() -> torch.Tensor:
        torch.manual_seed(0)
        return torch.randn(64, 4)

    @step
    def train(x: torch.Tensor) -> tuple[Annotated[Net, "model"], Annotated[dict, "state"]]:
        net = Net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            loss = net(x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return net, net.state_dict()

    @step
    def agree(net: Net, state: dict, x: torch.Tensor) -> bool:
        other = Net()
        other.load_state_dict(state)
        return torch.equal(net(x), other(x))

    @pipeline
    def training():
        x = data()
        agree(*train(x), x)
"""


@pytest.mark.parametrize("orchestrator", ["local", "process"])
def test_a_model_is_trained_and_used_in_steps_and_cached(
    orchestrator: str, project: Project, command: str
) -> None:
    if orchestrator == "process":
        use_process(command)
    project.write("main.py", PIPELINE)
    for states in ({"completed"}, {"cached"}):
        finished = project.run()
        assert finished.code == 0, finished
        run = Client().get_run("latest")
        assert {step.status for step in run.steps.values()} == states
        assert run.steps["agree"].output.load() is True
