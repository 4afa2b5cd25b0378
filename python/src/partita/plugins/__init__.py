"""The plugin protocol for flavors in Python: Partita starts `python -m partita.plugins`."""
