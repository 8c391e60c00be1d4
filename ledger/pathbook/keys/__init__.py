"""Private keys, and files of secrets: they are made whole or not at all, and damage of a key is noticed.

What is not here: which keys there are. A server, a witness and a party each have files of their own.
"""
