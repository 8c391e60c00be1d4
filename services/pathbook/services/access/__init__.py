"""Access: who calls, which methods each role may call, and what of the books a caller may see and do.

The table is `table.py`. Everything that it does not grant is refused.
"""
