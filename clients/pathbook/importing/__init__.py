"""Importing real tables: a recipe says which columns are which words, and rows become transfers of a book.

`recipe` is what a recipe may say, `loading` finds and checks one (`mistakes` says what is valid instead, `shipped`
which come with the project), `sources` finds the tables, `tables` reads rows, `cells` makes words of texts, `lines`
makes a line of a row, `plan` is what a table needs before its first transfer, `registering` puts that into the
book, `recording` records the transfers, `importer` does so with table after table, `summary` counts.

What is not here: options, exit codes and drawing (the command line); deciding (the book refuses what breaks a
rule, and the row is rejected with its reason); code in a recipe (there is none).
"""
