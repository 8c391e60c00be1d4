"""Run the server: settings, ports, signals, logs, and one process or several.

What is not here: what a call does (the service files above this room).
"""
