"""Runs the server: settings, ports, signals, logs, and one process or several.

What is not here: the methods that answer calls (the service files beside this room).
"""
