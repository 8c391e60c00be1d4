"""Tests of exports use the book of the demo, too."""

from tests.cli.conftest import _no_environment, closed_demo, demo

__all__ = ["_no_environment", "closed_demo", "demo"]
