"""Proofs: the arithmetic by which a reader checks what a book says, without trusting the operator of its server.

Trees are those of RFC 6962. Notes, checkpoints, cosignatures, policies and proof files are those of C2SP. Every module
is pure: it reads no clock, no file and no database, and draws nothing at random. What keeps nodes, signs at a time or
answers calls is in the store and in the services. What a party signs is made by the client.
"""
