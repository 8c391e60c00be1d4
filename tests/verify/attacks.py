"""All attacks on a proof. `python -m tests.verify.attacks` prints what was tried, and how often it was accepted.

An attempt is accepted if the verifier calls it verified. A file that differs and shows the same facts is counted apart.
"""

from collections.abc import Mapping
from typing import Final

from tests.verify import (
    answer_attacks,
    attacking,
    file_attacks,
    key_attacks,
    operator_attacks,
    path_attacks,
    signed_attacks,
    wire_attacks,
)
from tests.verify.attacking import Attack, run

ATTACKS: Final[Mapping[str, Attack]] = attacking.ATTACKS
"""All attacks, by their names in the table."""

MODULES: Final = (
    file_attacks,
    operator_attacks,
    signed_attacks,
    answer_attacks,
    key_attacks,
    path_attacks,
    wire_attacks,
)
"""The modules that add them."""


def main() -> None:
    """Print the table."""
    print("attack | tried | accepted")  # noqa: T201 - it is a program
    for name in ATTACKS:
        row = run(name)
        same = "".join(
            f"; {count} of them show the same facts: {cause}" for cause, count in row.unchanged.items()
        )
        print(f"{row.name} | {row.tried} | {row.accepted}{same}")  # noqa: T201 - it is a program


if __name__ == "__main__":
    main()
