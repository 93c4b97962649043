"""The page's JavaScript modules as one script, so that a page from a disk needs no other file.

A module becomes a function that is called once, in the order of the imports; what it exports is
what others see. Only two forms are used, one a line: ``import { a, b } from "./x.js";`` and
``export`` before a function, a class or a const. Anything else is refused.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+)\.js";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.M)
_OTHER = re.compile(r"^(?:import|export)\b.*$", re.M)


@cache
def asset(name: str) -> str:
    """The text of a file that ships with the package."""
    return resources.files("homage_sdk.explore").joinpath("assets", name).read_text("utf-8")


@cache
def joined_modules(entry: str) -> str:
    """``entry`` and all that it imports, as the text of one module.

    Raises ValueError for an import in another form, and for modules that import one another.
    """
    parts: dict[str, str] = {}
    _add(entry.removesuffix(".js"), parts, ())
    return "\n".join(['"use strict";', *parts.values()])


def _add(name: str, parts: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"modules import one another: {' -> '.join((*above, name))}")
    if name in parts:
        return
    text = asset(f"{name}.js")
    for _, other in _IMPORT.findall(text):
        _add(other, parts, (*above, name))
    body, names = join_module(text)
    parts[name] = (
        f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();"
    )


def join_module(text: str) -> tuple[str, list[str]]:
    """The body of a module as that of a function, and the names that it exports.

    >>> join_module('import { b } from "./other.js";')
    ('const { b } = module_other;', [])
    >>> join_module("export const a = 1;")
    ('const a = 1;', ['a'])
    """
    names = _EXPORT.findall(text)
    body = _IMPORT.sub(lambda m: f"const {{ {m[1]} }} = {_variable(m[2])};", text)
    body = _EXPORT.sub("", body)
    if (strange := _OTHER.search(body)) is not None:
        raise ValueError(f"an import or export in a form that is not joined: {strange[0]}")
    return body, names


def _variable(name: str) -> str:
    return f"module_{name.replace('-', '_')}"
