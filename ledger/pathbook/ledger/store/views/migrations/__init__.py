"""How the views' tables came to be what they are, step by step. What is not here: the log, whose tables never change.

A step that changes what rows mean, and cannot say what they mean now, empties the tables: the views are carried anew.
"""
