"""The migrations of the views' tables, step by step. What is not here: the log, whose tables never change.

A step may change the meaning of rows so that existing rows cannot be converted. It then empties the tables,
and the views are rebuilt.
"""
