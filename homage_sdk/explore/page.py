"""``homage view``: one sequence as one self-contained page that plays."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from homage_sdk.errors import MediaError
from homage_sdk.explore.document import PageSound, PageView, RunTrack, ViewDocument
from homage_sdk.explore.joined_modules import asset, joined_modules
from homage_sdk.explore.proxy_video import proxy_sound, proxy_view, video_kbit
from homage_sdk.explore.sequence_document import page_frames, sequence_document, view_card
from homage_sdk.progress import Meter, Progress
from homage_sdk.report.inline_images import spectrogram_url
from homage_sdk.time import Interval, Seconds

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.dataset.sequence import Sequence

_SPECTROGRAM_HZ = 16_000


@dataclass(frozen=True)
class ViewPage:
    """A page: its HTML, the document on it, and what it should show and cannot."""

    html: str
    document: ViewDocument
    missing: tuple[str, ...]
    lacks_media: bool
    """Whether a video or the sound is among what is missing."""

    @property
    def shows_media(self) -> bool:
        """False where videos or sound are known and none could be shown."""
        media = [view.video for view in self.document.views] + [self.document.sound.file]
        return any(media) or not self.lacks_media


def view_page(
    dataset: Dataset,
    sequence: Sequence,
    runs: tuple[RunTrack, ...] = (),
    progress: Progress | None = None,
) -> ViewPage:
    """The page of a sequence, with its media inside. What cannot be shown is named on it.

    The views take most of the time: ``progress`` counts them.
    """
    n_frames = page_frames(sequence)
    cards = [view_card(view, missing="no video in the release") for view in sequence.views]
    media: dict[str, tuple[str, bytes]] = {}
    missing: list[str] = []
    sound = _sound(sequence, n_frames, media, missing)
    document = sequence_document(dataset, sequence, cards, sound, runs)
    known = [view for view in sequence.views if view.has_video]
    other = len(page_html(document, media))
    kbit = video_kbit(len(known), n_frames, other)
    meter = Meter(progress, len(known))
    shown = {card.number: card for card in cards}
    for view in known:
        card = shown[view.number]
        try:
            made = proxy_view(view, n_frames, kbit)
        except MediaError as error:
            missing.append(f"view {view.id}: {error}")
            shown[view.number] = replace(card, missing=str(error))
        else:
            media[f"video-{card.name}"] = ("video/mp4", made.data)
            shown[view.number] = replace(
                card,
                video=f"video-{card.name}",
                missing="",
                width=made.width,
                height=made.height,
                gaps=made.gaps,
                damaged=made.damaged,
            )
        meter.advance()
    views: tuple[PageView, ...] = tuple(shown.values())
    lacks_media = bool(missing)
    missing += [
        f"sensor {s.kind} ({s.position}): {s.missing}" for s in document.sensors if s.missing
    ]
    document = replace(document, views=views)
    return ViewPage(page_html(document, media), document, tuple(missing), lacks_media)


def _sound(
    sequence: Sequence, n_frames: int, media: dict[str, tuple[str, bytes]], missing: list[str]
) -> PageSound:
    if not any(view.has_audio for view in sequence.views):
        return PageSound(file=None, missing="no view has sound", view=None)
    try:
        made = proxy_sound(sequence, n_frames)
        end = Seconds(Interval(1, n_frames).end_s())
        samples = sequence.audio(Seconds(0.0), end, sample_rate=_SPECTROGRAM_HZ)
        picture = spectrogram_url(samples, _SPECTROGRAM_HZ, height=80)
    except MediaError as error:
        missing.append(f"sound: {error}")
        return PageSound(file=None, missing=str(error), view=None)
    media["sound"] = ("audio/mp4", made.data)
    return PageSound("sound", "", made.view, made.gaps, picture)


def page_html(document: ViewDocument, media: Mapping[str, tuple[str, bytes]]) -> str:
    """The page: template, style, modules, data and media (name to type and bytes) in one file.

    Scripts and style are allowed by their hashes, nothing else is, and nothing is fetched.
    """
    style, script = asset("view.css"), joined_modules("main.js")
    blocks = [_block("document", "application/json", document.to_json().decode())]
    for name, (kind, data) in media.items():
        text = base64.b64encode(data).decode("ascii")
        blocks.append(_block(name, "text/plain", text, kind))
    return asset("view.html").format(
        title=escape(document.sequence.id),
        script_hash=_hash(script),
        style_hash=_hash(style),
        style=style,
        script=script,
        data="\n".join(blocks),
    )


def _block(name: str, kind: str, text: str, media: str = "") -> str:
    """Data as an element that no browser runs: ``<`` cannot end it."""
    safe = text.replace("<", "\\u003c")
    return f'<script type="{kind}" id="{escape(name)}" data-media="{media}">{safe}</script>'


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
