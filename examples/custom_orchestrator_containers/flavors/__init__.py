"""An orchestrator of our own."""
