"""Export of a book for analysis: its events and its flat tables as Parquet files, and SQL over them.

- `exporter`: reads what is new in a book and writes one file for each table and range of positions.
- `manifest`: what an export has, and the rule that a file counts only if the manifest names it.
- `parquet_files`: the Arrow types of the flat tables, and their files. It needs pyarrow (`pathbook[parquet]`).
- `statements`: the SQL texts of tables and reports, which DuckDB, PostgreSQL and Spark run unchanged.
- `querying`: runs SQL over an export. It needs DuckDB (`pathbook[duckdb]`).

What is not here: what a row says (`pathbook.ledger.reports.flat`), folding an export on a cluster
(`pathbook.cluster`), options and exit codes (the command line).
"""
