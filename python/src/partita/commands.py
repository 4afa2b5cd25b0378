"""Steps that are commands: any executable that reads files and writes others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from partita import _native, frames
from partita.outside import OutsideStep
from partita.step import check, check_name

#: What starts scripts.
_SHELL = "/bin/sh"

#: Stands around what a command's text inserts; no command can have it.
_MARK = "\0"

#: Types of what a command takes besides files, and of what the text of its files can be.
_SCALARS = (str, int, float, bool)

#: A word of a command in parts, as documents have them.
Word = list[dict[str, str]]


class Placeholder:
    """An input or an output in the words of a command, also inside of a text."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"{_MARK}{self.kind}:{self.name}{_MARK}"

    def __format__(self, _: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class Placeholders:
    """Makes placeholders: `input.raw`, or `output["plot.png"]`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder(self._kind, name)

    def __getitem__(self, name: str) -> Placeholder:
        return Placeholder(self._kind, name)


#: The inputs of a command: the path of a file, or the text of a value.
input = Placeholders("input")  # noqa: A001 - The word for it.

#: The outputs of a command: the path of the file that it has to write.
output = Placeholders("output")


class CommandStep(OutsideStep):
    """A step that starts a command; `command_step` makes one."""

    def __init__(
        self,
        words: list[Word],
        *,
        is_script: bool,
        may_be_empty: list[str],
        inputs: dict[str, dict[str, Any]],
        outputs: list[dict[str, Any]],
        name: str,
        options: dict[str, Any],
    ) -> None:
        super().__init__(name=name, options=options)
        self._inputs = inputs
        self._outputs = outputs
        self._words = words
        self._is_script = is_script
        self._may_be_empty = may_be_empty

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What documents say of each input."""
        return self._inputs

    @property
    def output_documents(self) -> list[dict[str, Any]]:
        """What documents say of each output."""
        return self._outputs

    def key(self) -> str:
        """Returns what its source is called in a deployment."""
        return f"command:{self.name}"

    def source(self, root: str) -> dict[str, Any]:
        """Returns its source as a deployment has it."""
        executable = self._executable(root)
        words = [[{"text": "-c"}], *self._words] if self._is_script else self._words[1:]
        command: dict[str, Any] = {
            "executable": executable,
            "words": words,
            "is_script": self._is_script,
            "may_be_empty": self._may_be_empty,
        }
        said = _native.encode_value([words, self._is_script, self.output_documents]) or b""
        parts = [{"name": self.name, "kind": "command", "digest": _native.digest(said)}]
        if "digest" in executable:
            name, digest = os.path.basename(executable["path"]), executable["digest"]
            parts.append({"name": name, "kind": "executable", "digest": digest})
        return {"command": command, "parts": parts}

    def _executable(self, root: str) -> dict[str, str]:
        """Returns what it starts: where that is here, or what it is called if it is not."""
        name: str = _SHELL if self._is_script else self._words[0][0]["text"]
        found = os.path.join(root, name) if "/" in name else shutil.which(name)
        if found is None or not os.path.isfile(found) or not os.access(found, os.X_OK):
            return {"name": name, "path": name}
        path = os.path.abspath(found)
        return {"name": name, "path": path, "digest": _native.digest_file(path)}


def command_step(
    words: str | Sequence[object],
    *,
    name: str | None = None,
    inputs: Iterable[str] | Mapping[str, type] | None = None,
    outputs: Iterable[str] | Mapping[str, type] | None = None,
    shell: bool = False,
    may_be_empty: Iterable[str] = (),
    **options: Any,
) -> CommandStep:
    """Makes a step of a command.

    It runs again when its words, its executable or its inputs change. It has failed if its exit
    code is not 0, or if a file that it had to write is missing, empty or a folder.

    Args:
        words: The executable and its arguments; `input.NAME` stands for the path of an input file,
            or the text of a value, and `output.NAME` for the path of a file to write.
        name: The step's name; the executable's if it is not given.
        inputs: The inputs by name, with their types: `Path` is a file, and `str`, `int`, `float`
            and `bool` are inserted as text. Those that `words` mention, of any of these types, if
            not given; so are those whose names alone are given.
        outputs: The outputs by name, with their types: `Path`, which is all that are not said, or
            the type of what the file says. Those that `words` mention if not given.
        shell: Whether `words` is a script for `/bin/sh`, which has what it inserts in variables.
        may_be_empty: The outputs whose files may be empty.
        **options: Those of `step`.

    Raises:
        PipelineError: The words mention what is not declared, or the other way round.

    Example:
        >>> from pathlib import Path
        >>> from partita.commands import command_step, input, output
        >>> sort = command_step(["sort", "-k2", input.raw, "-o", output.sorted])
        >>> first = command_step(f"head -n1 {input.file} > {output.line}", shell=True, name="first")
    """
    parsed = _parsed(words, shell)
    chosen = check_name(
        "step", name or ("command" if shell else os.path.basename(parsed[0][0]["text"]))
    )
    if options.get("output_materializers") is not None:
        raise frames.refusal(
            f"step `{chosen}` is a command, whose outputs are files; it takes no "
            "`output_materializers`."
        )
    declared = {
        "input": _declared("input", chosen, inputs, parsed),
        "output": _declared("output", chosen, outputs, parsed),
    }
    empty = list(may_be_empty)
    unknown = next((one for one in empty if one not in declared["output"]), None)
    if unknown is not None:
        raise frames.refusal(
            f"`may_be_empty` of step `{chosen}` names `{unknown}`, which is no output of it."
        )
    return CommandStep(
        parsed,
        is_script=shell,
        may_be_empty=empty,
        name=chosen,
        inputs={key: _input(kind) for key, kind in declared["input"].items()},
        outputs=[_output(key, kind) for key, kind in declared["output"].items()],
        options=check(options),
    )


def _parsed(words: str | Sequence[object], shell: bool) -> list[Word]:
    """Returns the words of a command in parts, a script as one word."""
    if shell:
        text = words if isinstance(words, str) else " ".join(map(_text, words))
        return [_parts(text)]
    if isinstance(words, str):
        raise frames.refusal(
            '`command_step` takes a list of words, such as `["sort", input.raw]`; for a script '
            "of a shell, add `shell=True`."
        )
    parsed = [_parts(_text(word)) for word in words]
    if not parsed or len(parsed[0]) != 1 or not parsed[0][0].get("text"):
        raise frames.refusal("the first word of a command names its executable, by itself.")
    return parsed


def _text(word: object) -> str:
    if isinstance(word, (str, Placeholder, int, float, Path)):
        return str(word)
    raise frames.refusal(
        f"a word of a command is a text, a number, a path, an input or an output, not `{word!r}`."
    )


def _parts(text: str) -> Word:
    """Returns a word in parts."""
    parts: Word = []
    for index, part in enumerate(text.split(_MARK)):
        if index % 2:
            kind, _, name = part.partition(":")
            parts.append({kind: name})
        elif part:
            parts.append({"text": part})
    return parts or [{"text": ""}]


def _declared(
    kind: str, step: str, given: Iterable[str] | Mapping[str, type] | None, words: list[Word]
) -> dict[str, type | None]:
    """Returns the inputs or outputs of a command with their types."""
    mentioned = list(dict.fromkeys(part[kind] for word in words for part in word if kind in part))
    if given is None:
        return dict.fromkeys(mentioned)
    if isinstance(given, str):
        raise frames.refusal(f"`{kind}s` takes a list of names, or a dict of types, not a text.")
    declared: dict[str, type | None] = dict.fromkeys(given)
    if isinstance(given, Mapping):
        declared.update(given)  # pyright: ignore[reportUnknownArgumentType] - Checked below.
    for name in mentioned:
        if name not in declared:
            raise frames.refusal(
                f"the command of step `{step}` mentions `{kind}.{name}`, and its {kind}s are "
                f"`{', '.join(declared)}`."
            )
    for name, data_type in declared.items():
        if name not in mentioned:
            raise frames.refusal(
                f"the command of step `{step}` does not mention its {kind} `{name}`; write "
                f"`{kind}.{name}` where it belongs."
            )
        if data_type not in (None, Path, *_SCALARS):
            raise frames.refusal(
                f"the {kind} `{name}` of step `{step}` is of type `{data_type!r}`; a command takes "
                "and makes `Path`, `str`, `int`, `float` and `bool`."
            )
    return declared


def _input(data_type: type | None) -> dict[str, Any]:
    document: dict[str, Any] = {"required": True}
    if data_type is Path:
        return {**document, "kinds": [], "type": "pathlib.Path"}
    if data_type is not None:
        return {**document, "kinds": [data_type.__name__], "type": f"builtins.{data_type.__name__}"}
    return document


def _output(name: str, data_type: type | None) -> dict[str, Any]:
    if data_type is None or data_type is Path:
        return {"name": name, "type": "pathlib.Path"}
    return {"name": name, "type": f"builtins.{data_type.__name__}"}
