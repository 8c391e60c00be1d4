"""Reports, one pure module for each: what the report keeps, how an event changes it, and what it answers.

What is not here: the tables and the follower of a report (store), and access to reports (services).
"""
