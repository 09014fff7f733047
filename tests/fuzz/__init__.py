"""Random damage against the doors of the library: files, model headers, model files, command lines, Python calls.

``python -m tests.fuzz --minutes 30`` in the repository's root; `tests.fuzz.supervisor` says what counts as a failure.
"""
