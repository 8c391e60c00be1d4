"""The health of books where they are: each check looks at one thing, changes nothing, and says what to do.

A new check is a function in a file of this room, and one line in ``CHECKS`` of ``check.py``.

What is not here: mending anything (restore, rebuild), and the truth of a path (verify).
"""
