"""The tables of the reports, the position of each, and the statements that write them.

What is not here: what a report keeps (reports), and the follower that builds it beside the views (views).
"""
