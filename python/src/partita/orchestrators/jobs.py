"""What a launcher is told of an attempt, and what it says of its job."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita.enums import JobStatus


class Attempt:
    """One try at one step.

    Attributes:
        id: Unique among all attempts; let the backend carry it, so that `find` works.
        run_id: The run.
        step_name: The step.
        item: The item, from 0, of a mapped step.
        number: From 1.
        settings: The step's settings of the orchestrator's flavor.
        image: The image that the step runs in, if it asks for one.
    """

    def __init__(
        self, document: dict[str, Any], settings: dict[str, Any], image: str | None = None
    ) -> None:
        """Reads what the plugin protocol says."""
        self.settings = settings
        self.image = image
        self.id: str = document["id"]
        self.run_id: str = document["run_id"]
        self.step_name: str = document["step"]
        self.item: int | None = document.get("item")
        self.number: int = document["number"]

    def __repr__(self) -> str:
        return f"<attempt {self.id} at {self.step_name}>"


class Resources:
    """What a step asks for; what is `None` it did not ask for.

    Attributes:
        cpu_count: Processor cores.
        memory: Bytes.
        gpu_count: Graphics processors.
        gpu_class: Their class, in the words of the backend.
        timeout: Seconds after which the engine cancels the attempt.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        """Reads what the plugin protocol says."""
        self.cpu_count: float | None = document.get("cpu_count")
        self.memory: int | None = document.get("memory")
        self.gpu_count: int | None = document.get("gpu_count")
        self.gpu_class: str | None = document.get("gpu_class")
        self.timeout: float | None = document.get("timeout")

    def __repr__(self) -> str:
        asked = (f"{key}={value!r}" for key, value in vars(self).items() if value is not None)
        return f"{self.__class__.__qualname__}({', '.join(asked)})"


class JobReport:
    """Where a job stands, and more of it than the word.

    Example:
        >>> from partita.enums import JobStatus
        >>> report = JobReport(JobStatus.FAILED, exit_code=137, message="evicted by the queue")
    """

    def __init__(
        self, status: JobStatus | str, *, exit_code: int | None = None, message: str | None = None
    ) -> None:
        """Describes where it stands.

        Args:
            status: Where it stands.
            exit_code: The exit code of its command, or the negative number of the signal that
                ended it, as `subprocess` has it; it is recorded as shells have it, 128 and more.
            message: What went wrong.
        """
        self.status = status
        self.exit_code = exit_code
        self.message = message

    def document(self) -> dict[str, Any]:
        """Returns it as the plugin protocol says it."""
        told = {"exit_code": self.exit_code, "message": self.message}
        state = getattr(self.status, "value", self.status)
        return {"state": state, **{key: value for key, value in told.items() if value is not None}}

    def __repr__(self) -> str:
        return f"JobReport({self.status!r}, exit_code={self.exit_code!r}, message={self.message!r})"
