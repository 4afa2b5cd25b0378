"""Settings that authors write in code."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Settings:
    """A group of options, of which only those that were given count."""

    _options: dict[str, Any]

    def options(self) -> dict[str, Any]:
        """Returns the options that were given."""
        return dict(self._options)

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self._options.items())
        return f"{type(self).__name__}({given})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._options == vars(other)["_options"]

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))


def _given(**options: Any) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


class ResourceSettings(Settings):
    """What a step needs of a machine.

    Example:
        >>> ResourceSettings(cpu_count=2, memory="2GB")
        ResourceSettings(cpu_count=2, memory='2GB')
    """

    def __init__(
        self,
        *,
        cpu_count: float | None = None,
        gpu_count: int | None = None,
        gpu_class: str | None = None,
        memory: str | None = None,
    ) -> None:
        """Describes the resources.

        Args:
            cpu_count: Processor cores; fractions are allowed.
            gpu_count: Graphics processors.
            gpu_class: The kind of graphics processor, in the backend's words.
            memory: A number and a unit, such as `512MiB` or `1.5GB`.
        """
        self._options = _given(
            cpu_count=cpu_count, gpu_count=gpu_count, gpu_class=gpu_class, memory=memory
        )

    @property
    def cpu_count(self) -> float | None:
        """Processor cores."""
        return self._options.get("cpu_count")

    @property
    def gpu_count(self) -> int | None:
        """Graphics processors."""
        return self._options.get("gpu_count")

    @property
    def gpu_class(self) -> str | None:
        """The kind of graphics processor, in the backend's words."""
        return self._options.get("gpu_class")

    @property
    def memory(self) -> str | None:
        """A number and a unit, such as `512MiB`."""
        return self._options.get("memory")

    def get_memory(self, unit: str = "GB") -> float | None:
        """Returns the memory as a number of units; `None` if none is asked for.

        Args:
            unit: `KB`, `MB`, `GB`, `TB` or `PB` (powers of 1000), or `KiB`, `MiB`, `GiB` or `TiB`.

        Raises:
            ValueError: The unit is none of these, or the memory is no amount.

        Example:
            >>> ResourceSettings(memory="1.5GiB").get_memory("MiB")
            1536.0
        """
        from partita import _native

        memory = self.memory
        return None if memory is None else _native.memory_in(memory, unit)

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not any(self._options.values())


class DockerSettings(Settings):
    """The image that a step runs in.

    Images are not built here: name one that is there, and say so with `skip_build=True`. What an
    image would have to be built for is refused before anything runs.

    Example:
        >>> DockerSettings(parent_image="registry.example.org/train:7", skip_build=True)
        DockerSettings(parent_image='registry.example.org/train:7', skip_build=True)
    """

    def __init__(
        self,
        *,
        parent_image: str | None = None,
        skip_build: bool | None = None,
        requirements: list[str] | str | None = None,
        apt_packages: list[str] | None = None,
        environment: dict[str, str] | None = None,
        dockerfile: str | None = None,
    ) -> None:
        """Describes the image.

        Args:
            parent_image: Its name.
            skip_build: Whether it is used as it is.
            requirements: Needs an image to be built.
            apt_packages: Needs an image to be built.
            environment: Needs an image to be built.
            dockerfile: Needs an image to be built.
        """
        self._options = _given(
            parent_image=parent_image,
            skip_build=skip_build,
            requirements=requirements,
            apt_packages=apt_packages,
            environment=environment,
            dockerfile=dockerfile,
        )

    @property
    def parent_image(self) -> str | None:
        """The image's name."""
        return self._options.get("parent_image")

    @property
    def skip_build(self) -> bool:
        """Whether it is used as it is."""
        return self._options.get("skip_build", False)


class StepRetryConfig(Settings):
    """How often, and how patiently, a failed step is retried.

    Example:
        >>> StepRetryConfig(max_retries=3, delay=1, backoff=2)  # waits 1, 2 and 4 seconds
        StepRetryConfig(max_retries=3, delay=1, backoff=2)
    """

    def __init__(
        self, *, max_retries: int, delay: float | None = None, backoff: float | None = None
    ) -> None:
        """Describes the retries.

        Args:
            max_retries: Attempts allowed after the first one.
            delay: Seconds before the first retry; 0 if it is not given.
            backoff: Factor by which the wait grows with each further one; 1 if it is not given.
        """
        self._options = _given(max_retries=max_retries, delay=delay, backoff=backoff)
