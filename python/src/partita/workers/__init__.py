"""Processes that the `process` orchestrator starts: the zygote, and the steps that it forks."""
