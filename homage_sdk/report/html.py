"""One self-contained HTML page from sections: no network, no scripts, opens from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A part of a page. ``body`` is HTML that its maker has escaped."""

    anchor: str
    title: str
    body: str
    missing: tuple[str, ...] = ()
    """What it should show and could not, and why; the body says the same."""
    shows_media: bool = True
    """False where media are known and none of them could be shown."""


def template(name: str) -> str:
    """The text of a template that ships with the package."""
    return resources.files("homage_sdk.report").joinpath("templates", name).read_text("utf-8")


def fill(name: str, /, **values: object) -> str:
    """A template that ships with the package, with values in it."""
    return fill_text(template(name), **values)


def fill_text(text: str, /, **values: object) -> str:
    """A template with values in it; every value is escaped unless it is ``Markup``."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["thousands"] = lambda n: f"{n:,}"
    return environment.from_string(text).render(**values)


def render_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    safe = [(s.anchor, s.title, Markup(s.body)) for s in sections]
    return fill(
        "page.html.j2",
        title=title,
        subtitle=subtitle,
        sections=safe,
        style=Markup(template("page.css")),
    )
