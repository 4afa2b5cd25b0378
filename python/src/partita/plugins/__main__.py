"""Serves one flavor: `python -m partita.plugins SOURCE SOURCE_ROOT`."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> None:
    """Sets the protocol's descriptors aside, and serves the flavor until its input ends.

    That comes before any import of an author's code: whatever it prints, or reads, is not the
    protocol's.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)

    from partita.plugins.channel import Channel
    from partita.plugins.host import Host

    source, source_root = arguments
    Host(source, source_root, Channel(incoming, outgoing)).serve()
    # Threads that wait for jobs of a run that is over keep nobody.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
