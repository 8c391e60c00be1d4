"""Import of tables: a recipe maps the columns of a table to the words of a book, and rows become transfers.

- `recipe`: the keys of a recipe. `loading` finds and checks a recipe, `suggestions` says which values are valid, and
  `shipped` lists the recipes that come with the project.
- `sources` finds the tables, `tables` reads rows, `cells` parses texts, and `lines` makes a line from a row.
- `plan`: what a table needs before its first transfer. `registering` registers it in the book.
- `recording` records the transfers of a table, `importer` imports one table after the other, and `summary` counts.

What is not here: options, exit codes and drawing (the command line). The book decides: it refuses what breaks a
rule, and the row is rejected with this reason. A recipe contains no code.
"""
