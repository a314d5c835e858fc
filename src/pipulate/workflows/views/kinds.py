"""Results that say by their type how they are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Code, shown with the colours of its language: `return Code(text, "sql")`.

    Attributes:
        text: The code.
        language: Its language by the name that Prism has for it, such as `python`; one it does not know stays plain.
    """

    text: str
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Mermaid:
    """A diagram in the language of Mermaid: `return Mermaid("graph LR; a --> b")`.

    Attributes:
        text: The diagram. It is drawn strictly: without links, markup or scripts in it.
    """

    text: str


@dataclass(frozen=True, slots=True)
class SandboxedHtml:
    """A piece of HTML with scripts and styles of its own, shown in a frame that reaches neither the page nor a network.

    Attributes:
        html: The markup, trusted by nobody.
        height: Height of the frame, in CSS pixels; people can pull it larger.
    """

    html: str
    height: int = 400


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, ready made. A matplotlib figure comes back as one, too: it can be shown again, not drawn on.

    Attributes:
        content: The file: PNG, JPEG, GIF, WebP or SVG.
        media_type: Its kind, such as `image/png`.
        alt: What it shows, for people who cannot see it.
    """

    content: bytes
    media_type: str = "image/png"
    alt: str = ""

    def _repr_mimebundle_(self, **_options: object) -> dict[str, bytes | str]:
        """Show it in a notebook."""
        text = self.content.decode() if self.media_type == "image/svg+xml" else self.content
        return {self.media_type: text}


SIGNS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"})


def picture_type(content: bytes) -> str:
    """Return the kind of a picture by its first bytes, or "" where it is none. SVG is text, so it is never found."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for sign, kind in SIGNS if content.startswith(sign)), "")
