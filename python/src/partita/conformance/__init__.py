"""The conformance suite: sees whether an orchestrator does what Partita promises of all of them.

`partita orchestrator flavor test SOURCE` plays every scenario on an orchestrator of a flavor, in a
home of its own, with the `partita` command as anybody uses it. What an orchestrator refuses before
the run it does not claim; what it takes on, it has to do right.
"""
