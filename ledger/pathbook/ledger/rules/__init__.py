"""Rules: pure functions that decide a command on the state of a book. They return one event or a refusal.

What is not here: clocks, randomness, databases, messages. A rule sees only the state that it is given, and never
changes it. ``pathbook.ledger.book`` first loads the state that ``pathbook.ledger.rules.required_state`` names.
"""
