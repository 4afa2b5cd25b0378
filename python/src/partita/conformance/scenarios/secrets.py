"""Secrets: the step that takes one gets it, and nothing that is kept tells it."""

from __future__ import annotations

import hashlib

from partita.conformance.place import Place, check_code
from partita.conformance.scenario import Unexpected, expect, scenario

MEND = "hand the environment of an attempt on, and let no value of a secret into what is recorded."

VALUE = "s3cret-conformance-value"


@scenario
def a_secret_reaches_its_step_and_nothing_else(place: Place) -> None:
    """A step gets the secret that it takes; logs, errors and documents hold its reference."""
    check_code(place.give("secret", "set", "conformance", "token=-", given=VALUE), 0)
    place.run(
        """
        import hashlib
        from partita import log_metadata, pipeline, step

        @step(enable_cache=False)
        def use(token: str) -> str:
            print("the token is", token)
            log_metadata({"token": token})
            return hashlib.sha256(token.encode()).hexdigest()

        @step(enable_cache=False)
        def tell(token: str, digest: str) -> None:
            raise ValueError(f"no luck with {token}")

        @pipeline
        def secretive():
            token = "{{conformance.token}}"
            tell(token, use(token))
        """,
        code=1,
    )
    digest = hashlib.sha256(VALUE.encode()).hexdigest()
    expect("its digest", digest, place.last_run().steps["use"].output.load(), MEND)
    told = str(place.described()) + place.partita("runs", "logs", "latest").out
    expect("the value in what is told", False, VALUE in told, MEND)
    for file in place.files():
        if VALUE.encode() in file.read_bytes():
            raise Unexpected("no file that holds the value", f"it is in `{file}`", MEND)
