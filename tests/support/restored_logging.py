"""Logging belongs to the whole process: a test that configures it puts it back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from syncd import log


@contextmanager
def restored_logging() -> Iterator[None]:
    """Put everything back that ``log.configure`` changes."""
    handlers, level, output = logging.root.handlers, logging.root.level, dict(vars(log._output))
    try:
        yield
    finally:
        logging.root.handlers = handlers
        logging.root.setLevel(level)
        vars(log._output).update(output)
        structlog.reset_defaults()
