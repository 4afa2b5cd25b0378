"""An orchestrator that serves a run: what the engine asks of it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from threading import Event, Thread

from partita import _native
from partita.entrypoints.base_entrypoint_configuration import running
from partita.enums import JobStatus, StackComponentType
from partita.errors import PartitaError
from partita.models import PipelineDeploymentResponseModel
from partita.orchestrators.jobs import Attempt, JobReport, Resources
from partita.plugins import source as sources
from partita.plugins.channel import told
from partita.plugins.direct import DirectSteps
from partita.stack.stack import Stack
from partita.stack.stack_component import StackComponent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from partita.orchestrators.base_orchestrator import BaseOrchestrator
    from partita.orchestrators.base_orchestrator_flavor import BaseOrchestratorFlavor
    from partita.plugins.channel import Channel

#: What a launcher may implement besides what it must, and what that is called in the protocol.
CAPABILITIES = {"find": "find", "logs": "logs", "wait": "status"}

#: Bytes of what an orchestrator made of a pipeline that are kept: 2 MiB. In JSON one may take six,
#: and a message has 16 MiB at most.
MOST_KEPT = 2 << 20

#: Seconds in which a plugin ends once its input has.
END = 5


def _wait_for_end() -> NoReturn:
    """Waits until this process is killed with its group, by the thread that ends that."""
    while True:
        with suppress(KeyboardInterrupt):
            Event().wait()


class Opened:
    """Its public methods are those of the protocol."""

    def __init__(
        self,
        flavor: BaseOrchestratorFlavor,
        config: Any,
        params: dict[str, Any],
        channel: Channel,
        supply: dict[str, Any],
    ) -> None:
        """Makes the orchestrator.

        Args:
            flavor: Its flavor.
            config: Its configuration.
            params: The run.
            channel: Where the engine is.
            supply: What its flavor is known to claim.

        Raises:
            PartitaError: It cannot be loaded, or cannot work here.
        """
        self._channel = channel
        self._is_over = Event()
        self._is_ending = False
        self._kind = sources.load_implementation(flavor)
        self._goes_by_itself = _goes_by_itself(self._kind)
        self._orchestrator: BaseOrchestrator = self._kind(
            name=params["component"],
            type=StackComponentType.ORCHESTRATOR,
            flavor=flavor.name,
            config=config,
        )
        store = params["artifact_store"]
        run = _native.RunEntry(store, params["deployment_id"], params["run_id"])
        document: dict[str, Any] = _native.decode_value(run.deployment())
        self._deployment = PipelineDeploymentResponseModel(document)
        self._stack = _stack(document["stack"], self._orchestrator, store)
        self._orchestrator._run_id = params["run_id"]  # pyright: ignore[reportPrivateUsage]
        self._orchestrator._settings_class = flavor.settings_class  # pyright: ignore[reportPrivateUsage]
        self._identify = self._identified()
        delegates = supply.get("delegates", "no") in ("yes", "throughout")
        self._synchronous: bool = config.is_synchronous
        self._is_delegated = self._goes_by_itself and (delegates or not self._synchronous)
        self._images: dict[str, str] = params.get("images", {})
        self._orchestrator._images = self._images  # pyright: ignore[reportPrivateUsage]
        if self._goes_by_itself:
            self._steps = DirectSteps(run, channel)
            self._orchestrator._run_step = self._run_step  # pyright: ignore[reportPrivateUsage]
            running.update(
                artifact_store=store, deployment_id=params["deployment_id"], run_id=params["run_id"]
            )
        elif self._images and not flavor.supply.images:
            name, image = next(iter(self._images.items()))
            raise PartitaError(
                f"step `{name}` asks for the image `{image}`, and the flavor `{flavor.name}` does "
                "not say that it starts steps in images; if it does, let it return "
                "`Supply(images=True)`, else take the image away"
            )
        validator = self._orchestrator.validator
        if validator is not None:
            validator.validate(self._stack)
        self._identify()

    def answer(self) -> dict[str, Any]:
        """Returns what the engine is told of it."""
        implemented = [
            capability
            for method, capability in CAPABILITIES.items()
            if sources.implements(self._kind, method)
        ]
        return {
            "mode": self._mode(),
            "synchronous": self._synchronous,
            "capabilities": implemented,
            "poll_interval": self._orchestrator.poll_interval,
        }

    def run(self, params: dict[str, Any]) -> object:
        """Has it go through the steps."""
        environment: dict[str, str] = params.get("environment", {})
        self._orchestrator.prepare_pipeline_deployment(self._deployment, self._stack)
        if self._is_delegated:  # Nobody waits for it any more once its input has ended.
            _native.end_with_parent(False)  # What it has started is to end first.
            self._channel.on_end = self._end
        try:
            made = self._orchestrator.prepare_or_run_pipeline(
                self._deployment, self._stack, environment
            )
        finally:
            self._channel.on_end = lambda: None
            self._is_over.set()
            if self._is_ending and os.getpgrp() == os.getpid():
                _wait_for_end()
            if self._is_delegated:
                _native.end_with_parent(True)
        self._identify()
        asked = self._orchestrator._images_asked  # pyright: ignore[reportPrivateUsage]
        for name, image in self._images.items():
            if name not in asked:
                raise PartitaError(
                    f"step `{name}` asks for the image `{image}`, and `{self._kind.__qualname__}` "
                    "never asked `get_image` for it; take the image away, or run the step in it"
                )
        return {} if made is None else _kept(made)

    def _end(self) -> None:
        """Ends what it has started here: an engine that was killed cannot, and may be resumed."""
        self._is_ending = True
        os.kill(os.getpid(), signal.SIGINT)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGTERM)
            self._is_over.wait(END)
            os.killpg(os.getpgrp(), signal.SIGKILL)

    def _identified(self) -> Callable[[], None]:
        """Has the engine told of each id that the orchestrator has for the run.

        Returns:
            What asks for it; one that has none at the moment may raise.
        """
        if not sources.implements(self._kind, "get_orchestrator_run_id"):
            return lambda: None
        returned = self._orchestrator.get_orchestrator_run_id
        known: set[object] = set()

        def get_orchestrator_run_id() -> str:
            run_id = returned()
            if run_id not in known:
                known.add(run_id)
                if isinstance(run_id, str) and run_id:  # pyright: ignore[reportUnnecessaryIsInstance]
                    self._channel.notify("identified", {"orchestrator_run_id": told(run_id)})
                else:
                    print(
                        f"partita: `get_orchestrator_run_id` returned `{run_id!r}`, and must "
                        "return what the backend calls the run, a text; it is not kept",
                        file=sys.stderr,
                    )
            return run_id

        def identify() -> None:
            with suppress(Exception):
                get_orchestrator_run_id()

        self._orchestrator.get_orchestrator_run_id = get_orchestrator_run_id
        return identify

    def _mode(self) -> str:
        if not self._goes_by_itself:
            return "launcher"
        return "delegated" if self._is_delegated else "direct"

    def _run_step(self, name: str) -> None:
        image = self._images.get(name)
        if image is not None:
            raise PartitaError(
                f"step `{name}` asks for the image `{image}`, and `run_step` runs it in the "
                "orchestrator's own process; take the image away, or start its entrypoint in it"
            )
        self._identify()
        self._steps.run(name)

    def launch(self, params: dict[str, Any]) -> object:
        """Starts an attempt."""
        attempt = Attempt(params["attempt"], params.get("settings", {}), params.get("image"))
        job: Any = self._orchestrator.launch(
            attempt, params["command"], params["environment"], Resources(params["resources"])
        )
        if not isinstance(job, str):
            raise PartitaError(
                f"`{self._kind.__qualname__}.launch` returned `{job!r}`, and must return the job's "
                "id, a text"
            )
        self._identify()
        if sources.implements(self._kind, "wait"):
            Thread(target=self._wait, args=(attempt.id, job), daemon=True).start()
        return {"job": job}

    def poll(self, params: dict[str, Any]) -> object:
        """Says where a job stands."""
        return self._report("poll", self._orchestrator.poll(params["job"]))

    def cancel(self, params: dict[str, Any]) -> object:
        """Asks a job to end."""
        self._orchestrator.cancel(params["job"])
        return {}

    def find(self, params: dict[str, Any]) -> object:
        """Finds the job of an attempt."""
        job = self._orchestrator.find(params["attempt"])
        if job is not None and sources.implements(self._kind, "wait"):
            Thread(target=self._wait, args=(params["attempt"], job), daemon=True).start()
        return {"job": job}

    def logs(self, params: dict[str, Any]) -> object:
        """Returns what a job printed."""
        return {"text": _end_of(self._orchestrator.logs(params["job"]))}

    def _report(self, method: str, returned: Any) -> dict[str, Any]:
        report = returned if isinstance(returned, JobReport) else JobReport(returned)
        document = report.document()
        is_right = (
            document["state"] in [status.value for status in JobStatus]
            and isinstance(document.get("exit_code", 0), int)
            and isinstance(document.get("message", ""), str)
        )
        if not is_right:
            raise PartitaError(
                f"`{self._kind.__qualname__}.{method}` returned `{returned!r}`, and must return "
                "where the job stands: a `JobStatus`, or a `JobReport` with one, a number as "
                "`exit_code` and a text as `message`"
            )
        if "message" in document:
            document["message"] = told(document["message"])
        return document

    def _wait(self, attempt: str, job: str) -> None:
        try:
            status = self._report("wait", self._orchestrator.wait(job))
        except Exception as error:
            kind = "" if isinstance(error, PartitaError) else f"{type(error).__name__}: "
            message = told(f"it cannot be waited for: {kind}{error}")
            status = {"state": "failed", "message": message}
        self._channel.notify("status", {"attempt": attempt, "status": status})


def _goes_by_itself(kind: type[BaseOrchestrator]) -> bool:
    """Returns whether a class goes through the steps by itself.

    Raises:
        PartitaError: It implements neither way, or both.
    """
    goes_by_itself = sources.implements(kind, "prepare_or_run_pipeline")
    is_launcher = sources.implements(kind, "launch", "poll", "cancel")
    if goes_by_itself == is_launcher:
        what = "both" if goes_by_itself else "neither"
        raise PartitaError(
            f"`{kind.__qualname__}` implements {what} of the ways to be an orchestrator; implement "
            "either `prepare_or_run_pipeline`, or `launch`, `poll` and `cancel`"
        )
    return goes_by_itself


def _kept(made: Any) -> dict[str, Any]:
    """Returns what is kept with the run of what an orchestrator made of the pipeline.

    Its jobs may be out already, so nothing that is returned is an error.
    """
    whole = _text(made).encode(errors="backslashreplace")
    is_cut = len(whole) > MOST_KEPT
    if is_cut:
        print(
            f"partita: what was returned has {len(whole)} bytes; the first {MOST_KEPT} are kept",
            file=sys.stderr,
        )
    return {"representation": whole[:MOST_KEPT].decode(errors="ignore"), "cut": is_cut}


def _end_of(log: Any) -> str:
    """Returns as much of what a job printed as is kept: its end, from a line's beginning on."""
    whole = _text(log).encode(errors="backslashreplace")
    if len(whole) <= MOST_KEPT:
        return whole.decode()
    kept = whole[-MOST_KEPT:].partition(b"\n")[2]
    return f"[the first {len(whole) - len(kept)} bytes are left out]\n{kept.decode()}"


def _text(made: Any) -> str:
    import json

    if isinstance(made, str):
        return made
    if isinstance(made, bytes):
        return made.decode(errors="replace")
    for text in (partial(json.dumps, indent=2, default=str), repr):
        try:
            return text(made)
        except Exception:
            continue
    return f"what has no text: {type(made).__qualname__}"


def _stack(document: dict[str, Any], orchestrator: BaseOrchestrator, uri: str) -> Stack:
    store: dict[str, Any] = document["artifact_store"]
    artifact_store = StackComponent(
        name=store["name"],
        type=StackComponentType.ARTIFACT_STORE,
        flavor=store["flavor"],
        config=store.get("config", {}),
    )
    return Stack(
        document["name"],
        orchestrator=orchestrator,
        artifact_store=artifact_store,
        artifact_store_uri=uri,
    )
