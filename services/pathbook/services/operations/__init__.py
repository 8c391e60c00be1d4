"""What an operator sees of a server while it runs: metrics, whether it lives, whether it may be sent calls, spans.

What is not here: the log (run), and what is counted where (the services count through ``pathbook.services.metrics``).
"""
