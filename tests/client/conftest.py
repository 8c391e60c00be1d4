"""The fixtures of the services' tests: a server for one test, with a client."""

from tests.services.conftest import client, data

__all__ = ["client", "data"]
