"""Publishing of a log: its signed checkpoint, its tree and its events as files for any static web server.

- `publisher`: brings a directory up to the newest checkpoint. `building` makes the tiles from the events.
- `files`: the files in that directory, each of which appears whole.

What is not here: options, exit codes and drawing (the command line), and what a tile is (``pathbook.ledger.proofs``).
"""
