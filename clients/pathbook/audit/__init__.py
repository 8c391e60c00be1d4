"""Audit of a whole book: everything that its events lead to is computed again from their bytes, and compared.

- `auditor`: takes the events in their order, and raises the first difference. `movements` and `registers` hold the
  rules of what may follow, and `statements` those of signatures. `custody` computes custody roots, and `book` is what
  an auditor knows of the events before.
- `sources`: where events and checkpoints come from: a server, or a published directory.
- `replaying`: one audit from beginning to end, or on from where it was. `differences` names the rules. `fingerprints`
  compares the views of a server.
- `kept` and `state_directory`: what is kept to go on later. `cosigning`: the cosignature of a checkpoint.
- `watching`: looks again and again, and `watch_metrics` tells what it sees.

What is not here: the rules for one unit (`pathbook.verify.following`, which the auditor applies to each run), the
arithmetic of trees (`pathbook.ledger.proofs`), options and exit codes (the command line).
"""
