"""Steps of programs in Rust, in pipelines in Python."""

from __future__ import annotations

import difflib
import os
import subprocess
from typing import Any

from partita import _native, frames, source_root
from partita.errors import PipelineError
from partita.outside import OutsideStep
from partita.step import check, check_name

#: What a program says of its steps, by their paths in it.
Told = dict[str, dict[str, Any]]


class Program:
    """A program in Rust, whose steps a pipeline in Python can use.

    It is asked for its steps when a pipeline that uses them is put together; its path is relative
    to the source root, or to the working directory.

    Example:
        >>> features = Program("./target/release/features")
        >>> clean = features.step("clean")
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        line = frames.author_line()
        self._file = None if line is None else line[0]
        self._told: tuple[str, Told] | None = None

    def step(self, name: str, **options: Any) -> ProgramStep:
        """Returns a step of the program.

        Args:
            name: Its name, or its path in the program where several have that name.
            **options: Those of `step`, on top of what the program says.
        """
        return ProgramStep(self, check_name("step", name), check(options))

    def find(self) -> str:
        """Returns the program's path.

        Raises:
            PipelineError: It is not there, or is no program of the Rust SDK.
        """
        root = os.getcwd() if self._file is None else source_root.find(self._file)
        paths = [
            os.path.abspath(os.path.join(folder, self._path)) for folder in (root, os.getcwd())
        ]
        found = next((path for path in paths if os.path.exists(path)), None)
        if found is None:
            raise PipelineError(
                f"the program `{self._path}` is not there, neither below the source root `{root}` "
                "nor in the working directory; build it, as with `cargo build --release`."
            )
        if not _native.is_program(found):
            raise PipelineError(
                f"`{self._path}` is no program whose steps a pipeline can use; make one with "
                "`partita::main!`, or use any other executable with `command_step`."
            )
        return found

    def told(self) -> Told:
        """Returns what the program says of its steps.

        Raises:
            PipelineError: It cannot be asked.
        """
        path = self.find()
        digest = _native.digest_file(path)
        if self._told is not None and self._told[0] == digest:
            return self._told[1]
        asked = subprocess.run([path, "steps"], capture_output=True, check=False)
        if asked.returncode:
            said = asked.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
            raise PipelineError(
                f"the program `{self._path}` cannot be asked for its steps: {said[-1]}"
            )
        offer = _native.decode_value(asked.stdout)
        if offer.get("version") != _native.DEPLOYMENT_VERSION:
            raise PipelineError(
                f"the program `{self._path}` was built with another version of Partita, whose "
                "deployments are others; build it anew with the version that is installed here."
            )
        told: Told = offer["steps"]
        self._told = digest, told
        return told

    def __repr__(self) -> str:
        return f"<program {self._path}>"


class ProgramStep(OutsideStep):
    """A step of a program in Rust; `Program.step` makes one."""

    def __init__(self, program: Program, named: str, options: dict[str, Any]) -> None:
        super().__init__(name=named.rsplit("::", 1)[-1], options=options)
        self._program = program
        self._named = named

    def key(self) -> str:
        """Returns its path in the program."""
        told = self._program.told()
        found = [
            key for key, step in told.items() if self._named in (key, step["definition"]["name"])
        ]
        if len(found) == 1:
            return found[0]
        names = [step["definition"]["name"] for step in told.values()]
        if found:
            why = f"several steps `{self._named}`; name one of `{'`, `'.join(found)}`"
        else:
            near = difflib.get_close_matches(self._named, names, 1)
            why = f"no step `{self._named}`; " + (
                f"did you mean `{near[0]}`?" if near else f"it has `{'`, `'.join(names)}`"
            )
        raise PipelineError(f"the program {self._program!r} has {why}")

    def source(self, root: str) -> dict[str, Any]:
        """Returns its source as the program says it."""
        del root
        return self._program.told()[self.key()]["source"]

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What the program says of each input."""
        told = self._program.told()[self.key()]
        return {name: told["definition"]["inputs"][name] for name in told["inputs"]}

    @property
    def output_documents(self) -> list[dict[str, Any]]:
        """What the program says of each output."""
        return self._definition()["outputs"]

    def layers(self) -> list[dict[str, Any]]:
        """Returns the options that the program says."""
        return self._definition()["options"]

    def hooks(self) -> dict[str, str]:
        """Returns the hooks of the program."""
        return self._definition()["hooks"]

    def _definition(self) -> dict[str, Any]:
        return self._program.told()[self.key()]["definition"]
