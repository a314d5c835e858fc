// The only script of the page in the frame: takes the code, runs it, and says how high the result is.

type Look = Record<string, string>;

interface Task {
  type: "run";
  code: string;
  id: string;
  look: Look;
}

interface Recolour {
  type: "look";
  look: Look;
}

const STYLE = `
html { font: 14px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink);
  accent-color: var(--accent); }
body { display: flow-root; margin: 0; padding: 12px; overflow-wrap: anywhere; }
button { padding: 4px 12px; border: 1px solid var(--line); border-radius: 6px; background: var(--accent);
  color: var(--accent-ink); font: inherit; cursor: pointer; }
.problem { margin: 8px 0 0; color: var(--danger); font-family: monospace; white-space: pre-wrap; }
`;

let hasRun = false;

function complain(words: string): void {
  const line = document.createElement("p");
  line.className = "problem";
  line.textContent = words;
  document.body.append(line);
}

function wear(look: Look): void {
  for (const [name, value] of Object.entries(look)) document.documentElement.style.setProperty(name, value);
}

function run({ code, id, look }: Task): void {
  hasRun = true;
  wear(look);
  const widget = document.createElement("div");
  widget.id = id;
  document.body.prepend(widget);
  try {
    new Function("widget", code)(widget);
  } catch (error) {
    complain(String(error));
  }
  tellHeight(); // Out of view, browsers do not observe.
}

function tellHeight(): void {
  window.parent.postMessage({ type: "size", height: document.body.getBoundingClientRect().height }, "*");
}

const style = document.createElement("style");
style.textContent = STYLE;
document.head.append(style);
window.addEventListener("error", (event) => complain(event.message));
window.addEventListener("unhandledrejection", (event) => complain(String(event.reason)));
window.addEventListener("message", ({ source, data }: MessageEvent<Task | Recolour>) => {
  if (source !== window.parent) return;
  if (data.type === "look") wear(data.look);
  if (data.type === "run" && !hasRun) run(data);
});
new ResizeObserver(tellHeight).observe(document.body);
window.parent.postMessage({ type: "ready" }, "*");
