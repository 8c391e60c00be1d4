"""The asyncio client: the methods of the client, awaited.

What is not here: a second description of the methods. `clients/generate_client.py` writes all modules of this package,
except `calls`, from those of `pathbook.client`.
"""

from pathbook.client.aio.client import AsyncClient

__all__ = ["AsyncClient"]
