// The line below a form that the assistant can fill in: it follows what the model does, and whether there is one.

import htmx from "htmx.org";
import { element } from "./talk";

const GATHER_MS = 50; // An answer that ends and the card it asks with come one right after the other.
let timer = 0;
let newest = 0;

function line(): HTMLElement | null {
  return document.querySelector<HTMLElement>("#run [data-suggests]:not(.htmx-request)");
}

/** Look how far it is, where the page has such a line. */
export function followSuggestion(): void {
  if (!line()) return;
  clearTimeout(timer);
  timer = setTimeout(() => void renew().catch(() => {}), GATHER_MS); // Without an answer it stays as it is.
}

async function renew(): Promise<void> {
  const shown = line();
  if (!shown) return;
  const number = ++newest;
  const answer = await fetch(shown.dataset["suggests"] as string, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const html = await answer.text();
  if (number !== newest || line() !== shown || !html) return;
  const fresh = element(html);
  if (fresh.dataset["state"] === shown.dataset["state"]) return;
  const hadFocus = shown.contains(document.activeElement);
  shown.replaceWith(fresh);
  htmx.process(fresh);
  if (hadFocus) takeFocus(fresh);
}

/** The button that was pressed is gone: who works with keys goes on from what stands there now. */
function takeFocus(now: HTMLElement | null): void {
  now?.querySelector<HTMLElement>("a, button")?.focus({ preventScroll: true });
}

export function startSuggestions(): void {
  document.addEventListener("htmx:afterSettle", (event) => {
    if (line()?.dataset["state"] !== "working") return;
    if (event.target === line() && document.activeElement === document.body) takeFocus(line());
    followSuggestion(); // It may have ended before the page was told.
  });
}
