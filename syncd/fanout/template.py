"""Rendering a template.

Its text is trusted like the settings that name it, and kept to rendering by Jinja's sandbox. Values are never
read as template text, and no error repeats one.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from syncd.core.text import printable
from syncd.fanout.place import read
from syncd.fanout.published import FILTERS, Published, Reader, TemplateError

MAX_BYTES: Final = 64 << 20
"""Of a rendered file."""
MAX_TEMPLATE_BYTES: Final = 1 << 20
_STEP: Final = "syncd step"
"""A filter, for Jinja calls those at once; the blank keeps it out of templates."""
_UNDEFINED_NAME: Final = re.compile(r"'[A-Za-z_]\w*' is undefined")


class GivenUp(Exception):
    """Nobody waits for this rendering any more."""


def template_text(path: Path) -> str:
    """Read a template."""
    try:
        return read(path, MAX_TEMPLATE_BYTES).decode()
    except UnicodeDecodeError:
        raise TemplateError("it is not UTF-8", where=str(path)) from None


def check(path: Path) -> None:
    """Raise TemplateError, or OSError, unless a template can be read and understood."""
    _compile(_Sandbox(lambda: True), path, template_text(path))


def render(path: Path, source: str, published: Published, go_on: Callable[[], bool]) -> bytes:
    """Render a template; GivenUp soon after ``go_on`` says no, TemplateError where it cannot be rendered."""
    sandbox = _Sandbox(go_on)
    template = _compile(sandbox, path, source)
    reader = Reader(published)
    try:
        return _joined(
            template.generate(
                key=reader.key,
                exists=reader.exists,
                ls=reader.ls,
                tree=reader.tree,
                nested=reader.nested,
                prefix=published.prefix,
                revision=published.revision,
            )
        )
    except GivenUp:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the template's expressions may raise
        raise TemplateError(_told(error), where=_place(path, error), hint=getattr(error, "hint", "")) from None


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a brake: every call and every step of a loop asks whether to go on."""

    def __init__(self, go_on: Callable[[], bool]) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True)
        self.filters.update(FILTERS)
        self.filters[_STEP] = self._step
        self._go_on = go_on

    @pass_context  # without it Jinja would take the filter for a constant
    def _step(self, _context: Context, _value: None) -> None:
        if not self._go_on():
            raise GivenUp

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as Jinja has it
        if not self._go_on():
            raise GivenUp
        return super().call(context, obj, *args, **kwargs)


def _compile(sandbox: _Sandbox, path: Path, source: str) -> Template:
    try:
        tree = sandbox.parse(source)
        for loop in tree.find_all(nodes.For):
            step = nodes.Filter(nodes.Const(None), _STEP, [], [], None, None)
            loop.body.insert(0, nodes.ExprStmt(step, lineno=loop.lineno).set_environment(sandbox))
        code = sandbox.compile(tree, filename=str(path))
    except TemplateSyntaxError as error:
        raise TemplateError(printable(error.message or "syntax"), where=f"{path}:{error.lineno}") from None
    except (SyntaxError, RecursionError):
        raise TemplateError("it is nested too deeply", where=str(path)) from None
    return Template.from_code(sandbox, code, sandbox.make_globals(None))


def _joined(pieces: Iterable[str]) -> bytes:
    rendered = bytearray()
    for piece in pieces:
        rendered += piece.encode()
        if len(rendered) > MAX_BYTES:
            raise TemplateError(f"it renders more than {MAX_BYTES >> 20} MiB")
    return bytes(rendered)


def _told(error: Exception) -> str:
    """Say what went wrong without what Jinja or Python quote, which may be a value."""
    match error:
        case TemplateError():
            return error.message
        case UndefinedError() if _UNDEFINED_NAME.fullmatch(error.message or ""):
            return str(error.message)
        case UndefinedError():
            return "an attribute or element is used that is not there"
        case SecurityError():
            return "the sandbox forbids this"
        case _:
            return f"it fails with {type(error).__name__}"


def _place(path: Path, error: Exception) -> str:
    line, trace = 0, error.__traceback__
    while trace:
        line, trace = _line(trace, str(path)) or line, trace.tb_next
    return f"{path}:{line}" if line else str(path)


def _line(trace: TracebackType, file: str) -> int:
    return trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else 0
