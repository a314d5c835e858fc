"""HTML that tries to get out of its frame."""

from pipulate import SandboxedHtml, Workflow

boxed = Workflow("boxed", title="Boxed")

SCRIPT = """
let said = 'alone';
try { if (parent !== self) { parent.document.title = 'hit'; said = 'reached'; } } catch {}
try { localStorage.x = 1; said = 'stored'; } catch {}
try { if (top !== self) { top.location = '/'; said = 'moved'; } } catch {}
fetch('/').then(() => { said = 'fetched'; }, () => {}).finally(() => {
  document.getElementById('out').textContent = said;
});
"""


@boxed.step("out", title="Out")
def out() -> SandboxedHtml:
    return SandboxedHtml(f"<p id=out>waiting</p><form action=/-/look method=post></form><script>{SCRIPT}</script>")


@boxed.step("last", title="Last")
def last(word: str) -> str:
    return word
