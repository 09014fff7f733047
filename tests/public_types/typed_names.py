"""Public names as a type checker sees them.

`mypy` fails unless each error below is one (`warn_unused_ignores` in `pyproject.toml`).
"""

from typing import assert_type

import friedel

stack = friedel.simulate()
found = friedel.detect(stack, threshold=0.5)
assert_type(found, friedel.Detections)
friedel.detect(stack, treshold=0.5)  # type: ignore[call-arg]
friedel.detect(stack, method="net")  # type: ignore[arg-type]
