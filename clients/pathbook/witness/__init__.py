"""A witness of logs (c2sp.org/tlog-witness): it cosigns a checkpoint if the log only grew since the last one it saw.

- `deciding`: what is answered, as a function of the checkpoint that was cosigned last and the submission.
- `state`: the files of what was cosigned, and of the evidence against logs. `key_file`: the key of the witness.
- `witness`: decides, keeps and cosigns, one submission of a log after the other. `server`: the HTTP around it.

What is not here: the log's side, which asks witnesses (the server), and the texts of both (``pathbook.ledger.proofs``).
"""
