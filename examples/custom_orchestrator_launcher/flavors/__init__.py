"""Orchestrators of our own."""
