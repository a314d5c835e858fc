"""The libraries that pages of class-style apps may use, and what the policy of such a page lets run."""

from __future__ import annotations

import json
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.web.guard import policy
from pipulate.web.site import Site, Visit

OLD_NAMES: Final = {
    "marked.js": "marked.js", "marked.min.js": "marked.js", "mermaid.js": "mermaid.js", "mermaid.min.js": "mermaid.js",
    "prism.js": "prism.js", "prism.min.js": "prism.js", "prism.css": "explicit.css", "prism.min.css": "explicit.css",
}  # fmt: skip
"""Name of a library's file on the old host -> our file."""

OLD_PATHS: Final = tuple(f"/{folder}/{name}" for folder in ("static", "assets") for name in OLD_NAMES)
"""Where the old host had them, in its two generations."""


async def library(visit: Visit) -> Response:
    """Lead from where the old host had a library to where ours is."""
    name = OLD_NAMES.get(visit.request.url.path.rpartition("/")[2], "")
    if name not in visit.site.assets.addresses:
        raise HTTPException(404)
    return RedirectResponse(visit.site.assets.addresses[name], 302, {"cache-control": "no-cache"})


def listed(site: Site) -> str:
    """Return file name -> address of what a page loads when something uses it, as JSON."""
    known = site.assets.addresses
    return json.dumps({name: known[name] for name in OLD_NAMES.values() if name.endswith(".js") and name in known})


def page_headers(visit: Visit) -> dict[str, str]:
    """Return the policy of a page that shows markup of plugins: it may bring its own looks, but no code.

    A script that a plugin's own script inserts has no nonce. It may run where it is one of our libraries, by the name
    the old host had for it: whoever else could insert that would gain nothing.
    """
    host, nonce = visit.request.headers.get("host", ""), visit.request.scope.get("nonce", "")
    files = [host + path for path in OLD_PATHS if path.endswith(".js")] if host else []
    allowed = " ".join([f"'nonce-{nonce}'", *files])
    ours = policy(nonce).replace(f"'nonce-{nonce}'", allowed, 1)
    return {"content-security-policy": ours.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")}
