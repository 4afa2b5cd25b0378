"""Pipelines for chaos rounds: random graphs of steps, with the value that each step will return."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from chaos_steps import KINDS, MODULUS, weight

#: Steps of a pipeline, mapped ones with their list counted as two.
FEWEST, MOST = 4, 10


@dataclass
class Drawn:
    """A pipeline: the lines of its function, and what its steps return."""

    lines: list[str] = field(default_factory=list[str])
    values: dict[str, object] = field(default_factory=dict[str, object])
    events: int = 0
    """Lines that its steps tell if nothing goes wrong."""

    def add(self, kind: str, upstream: list[str], number: int) -> None:
        """Adds a step that takes the outputs of others; or, for `mapped`, two of them."""
        name, taken = f"s{len(self.values)}", ", ".join(upstream)
        result = (weight([self.values[one] for one in upstream]) + number) % MODULUS
        made = "numbers" if kind == "mapped" else kind
        self.lines.append(f'{name} = steps.{made}([{taken}], number={number}, id="{name}")')
        self.events += 4 if kind == "flaky" else 2
        if kind == "mapped":
            self.values[name] = items = [result + item for item in range(number % 5)]
            mapped = f"s{len(self.values)}"
            self.lines.append(f'{mapped} = steps.item.map({name}, id="{mapped}")')
            self.values[mapped] = [(item % MODULUS + 1) % MODULUS for item in items]
            self.events += 2 * len(items)
        else:
            self.values[name] = KINDS[kind][1](result)

    def text(self, failure_mode: str, max_retries: int) -> str:
        """Returns the file of the pipeline."""
        retry = f"retry=StepRetryConfig(max_retries={max_retries})"
        options = f'enable_cache=False, failure_mode="{failure_mode}", {retry}'
        head = f"import steps\nfrom partita import StepRetryConfig, pipeline\n\n\n@pipeline({options})\n"
        return head + "def main():\n" + "".join(f"    {line}\n" for line in self.lines)


def draw(dice: random.Random) -> Drawn:
    """Draws a pipeline of one of several shapes."""
    pipeline = Drawn()
    shape = dice.choice(["chain", "fan", "layers", "any", "apart"])
    kinds, weights = zip(*[(name, often) for name, (often, _) in KINDS.items()], strict=True)
    size = dice.randint(FEWEST, MOST)
    while len(pipeline.values) < size:
        kind = "mapped" if dice.random() < 0.15 else dice.choices(kinds, weights)[0]
        upstream = _upstream(dice, shape, list(pipeline.values), size)
        pipeline.add(kind, upstream, dice.randint(1, 250))
    return pipeline


def _upstream(dice: random.Random, shape: str, there: list[str], size: int) -> list[str]:
    if not there or shape == "apart":
        return []
    if shape == "chain":
        return there[-1:]
    if shape == "fan":  # One step, many beside one another, and one that takes them all.
        return there[1:] if len(there) == size - 1 else there[:1]
    if shape == "layers":
        layer = len(there) // 3
        return dice.sample(there[3 * layer - 3 : 3 * layer], 2) if layer else []
    return dice.sample(there, dice.randint(0, min(3, len(there))))
