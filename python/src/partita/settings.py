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
    """The image that a step runs in, and what that is built of.

    Steps that say the same share an image, and one that is there is not built again. Paths are
    relative to the source root. What the stack cannot honour is refused before anything runs.

    Example:
        >>> DockerSettings(requirements=["numpy>=2"], environment={"HF_HUB_OFFLINE": "1"})
        DockerSettings(requirements=['numpy>=2'], environment={'HF_HUB_OFFLINE': '1'})
    """

    def __init__(
        self,
        *,
        parent_image: str | None = None,
        skip_build: bool | None = None,
        requirements: list[str] | str | None = None,
        pyproject: str | None = None,
        replicate_local_python_environment: bool | None = None,
        python_package_installer: str | None = None,
        apt_packages: list[str] | None = None,
        environment: dict[str, str] | None = None,
        runtime_environment: dict[str, str] | None = None,
        user: str | None = None,
        dockerfile: str | None = None,
        build_context_root: str | None = None,
        dockerignore: str | None = None,
        target_repository: str | None = None,
        cache_mounts: list[str] | None = None,
        prevent_build_reuse: bool | None = None,
    ) -> None:
        """Describes the image.

        Args:
            parent_image: The image that it is built on.
            skip_build: Whether that is used as it is.
            requirements: The distributions that are installed, or a requirements file.
            pyproject: A `pyproject.toml` whose dependencies are installed.
            replicate_local_python_environment: Whether all that is installed here is.
            python_package_installer: What installs them: `pip` or `uv`.
            apt_packages: Packages of Debian that are installed.
            environment: Variables, in the image and while it is built. No secrets: whoever gets
                the image can read them.
            runtime_environment: Variables in the image alone.
            user: The user that its processes are run by.
            dockerfile: A Dockerfile that makes the image which it is built on.
            build_context_root: The folder whose files that may copy; by default its own.
            dockerignore: The list of what of them it may not, instead of `.dockerignore` there.
            target_repository: What the image is called, before its tag.
            cache_mounts: Folders that builds share and no image has, such as `/root/.cache/pip`.
            prevent_build_reuse: Whether it is built anew for each run.
        """
        self._options = _given(
            parent_image=parent_image,
            skip_build=skip_build,
            requirements=requirements,
            pyproject=pyproject,
            replicate_local_python_environment=replicate_local_python_environment,
            python_package_installer=python_package_installer,
            apt_packages=apt_packages,
            environment=environment,
            runtime_environment=runtime_environment,
            user=user,
            dockerfile=dockerfile,
            build_context_root=build_context_root,
            dockerignore=dockerignore,
            target_repository=target_repository,
            cache_mounts=cache_mounts,
            prevent_build_reuse=prevent_build_reuse,
        )

    @property
    def parent_image(self) -> str | None:
        """The image's name, or that of the image which it is built on."""
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
