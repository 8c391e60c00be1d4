"""Decide: pure functions from what the book knows and a command to the one event it causes, or a refusal.

What is not here: clocks, randomness, databases, messages. Rules see only the state handed to them, and never
change it; ``pathbook.ledger.book`` sees to it that what ``pathbook.ledger.rules.required_state`` asks for is at hand.
"""
