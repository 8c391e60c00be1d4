"""The fold of an exported book on a cluster of Apache Spark, with the same code that the views are made by.

- `folding`: what runs on workers: which batches an event changes, and the fold of one batch. It is pure.
- `registers`: what the driver folds itself: parties, keys, authorizations, recalls and cases.
- `replaying`: puts both together, to the fingerprint of the book. It needs pyspark (`pathbook[spark]`).

What is not here: the export (`pathbook.exporting`), and the rules that events must follow (`pathbook.audit.auditor`).
"""
