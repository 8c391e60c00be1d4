"""Reports: one pure file each, with what it keeps, how an event changes it, and what it answers.

What is not here: the tables and the follower that keep a report (store), and who may ask for one (services).
"""
