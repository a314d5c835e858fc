// Code that people typed. It runs in a frame of its own origin, which reaches neither this page nor any network; all it
// can do here is to say how high it is.

import { byId } from "./page";

const HIGHEST_PX = 4000;

const codes = new WeakMap<HTMLIFrameElement, { code: string; id: string }>();
const frames = new WeakMap<HTMLElement, HTMLIFrameElement>();

/** Run code next to an element of a widget, in place of what it did before. */
export function runJsWidget(widgetId: string, code: string, targetId: string): void {
  const target = byId(targetId) ?? byId(widgetId);
  if (!target) return;
  frames.get(target)?.remove();
  const frame = document.createElement("iframe");
  frame.className = "code-frame";
  frame.title = "What the code shows";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.src = "/-/sandbox";
  codes.set(frame, { code, id: targetId });
  frames.set(target, frame);
  target.hidden = true;
  target.after(frame);
}

function sender(event: MessageEvent): HTMLIFrameElement | undefined {
  if (event.origin !== "null") return undefined;
  const all = document.querySelectorAll<HTMLIFrameElement>("iframe.code-frame");
  return [...all].find((frame) => frame.contentWindow === event.source);
}

/** The colours of this page; a frame inherits none. */
function look(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  const named = ["--ink", "--paper", "--line", "--accent", "--accent-ink", "--danger"];
  return Object.fromEntries([
    ["color-scheme", style.colorScheme],
    ...named.map((name) => [name, style.getPropertyValue(name)]),
  ]);
}

function onMessage(event: MessageEvent<{ type?: unknown; height?: unknown } | null>): void {
  const frame = sender(event);
  if (!frame) return;
  const task = codes.get(frame);
  if (event.data?.type === "ready" && task) {
    codes.delete(frame);
    // The origin of such a frame has no name to address; what it gets is the code it is there to run.
    frame.contentWindow?.postMessage({ type: "run", ...task, look: look() }, "*");
  }
  if (event.data?.type === "size") {
    const height = Math.ceil(Number(event.data.height));
    if (height > 0) frame.style.height = `${Math.min(height, HIGHEST_PX)}px`;
  }
}

function recolour(): void {
  for (const frame of document.querySelectorAll<HTMLIFrameElement>("iframe.code-frame")) {
    frame.contentWindow?.postMessage({ type: "look", look: look() }, "*");
  }
}

export function startFrames(): void {
  window.addEventListener("message", onMessage);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}
