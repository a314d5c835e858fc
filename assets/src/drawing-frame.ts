// The only script of the page in the frame of a figure: takes what it is drawn with, draws it, and says how high it is.

interface Task {
  type: "draw";
  kind: "bokeh" | "mermaid";
  content: unknown;
  libraries: string[];
  look: Record<string, string>;
}

interface Libraries {
  Bokeh?: {
    documents: { clear(): void }[];
    embed: { embed_item(item: unknown, target: HTMLElement): Promise<unknown> };
  };
  mermaid?: { render(id: string, text: string): Promise<{ svg: string }> };
}

const STYLE = `
html { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); }
body { display: flow-root; margin: 0; }
body.light { background: #fff; color: #1b1f27; border-radius: 4px; }
svg { display: block; max-width: 100%; height: auto; }
`;

const nonce = (document.currentScript as HTMLScriptElement).nonce;
const has = new Set<string>();
let place: HTMLElement | null = null;
let last: Task | null = null; // Of several that come while one is drawn, only the last is drawn after it.
let isDrawing = false;

function tell(message: Record<string, unknown>): void {
  window.parent.postMessage(message, "*");
}

function tellHeight(): void {
  tell({ type: "size", height: Math.max(document.body.getBoundingClientRect().height, document.body.scrollHeight) });
}

function bring(code: string): void {
  const script = document.createElement("script");
  script.nonce = nonce;
  script.textContent = code;
  document.head.append(script);
}

async function draw({ kind, content, libraries, look }: Task): Promise<void> {
  for (const [name, value] of Object.entries(look)) document.documentElement.style.setProperty(name, value);
  for (const each of libraries) if (!has.has(each)) bring(each);
  for (const each of libraries) has.add(each);
  const { Bokeh, mermaid } = window as unknown as Libraries;
  letGo(Bokeh);
  place = document.createElement("div");
  document.body.append(place);
  if (kind === "bokeh" && Bokeh) {
    document.documentElement.style.colorScheme = "light"; // Figures bring their own colours, made for white.
    document.body.className = "light";
    await Bokeh.embed.embed_item(content, place);
  } else if (kind === "mermaid" && mermaid) {
    place.innerHTML = (await mermaid.render("diagram", String(content))).svg;
  } else {
    throw new Error("its library is not there.");
  }
}

/** Let go of what was drawn before: a document of Bokeh stays in memory until it is cleared. */
function letGo(Bokeh: Libraries["Bokeh"]): void {
  if (!place) return;
  for (const each of Bokeh?.documents ?? []) each.clear();
  if (Bokeh) Bokeh.documents.length = 0;
  place.remove();
}

async function run(task: Task): Promise<void> {
  last = task;
  if (isDrawing) return;
  isDrawing = true;
  try {
    while (last) {
      const next: Task = last;
      last = null;
      document.body.style.minHeight = place ? `${document.body.offsetHeight}px` : ""; // Nothing below it jumps.
      await draw(next);
      document.body.style.minHeight = "";
    }
    tell({ type: "drawn" });
    tellHeight();
  } catch (error) {
    tell({ type: "problem", words: error instanceof Error ? error.message : String(error) });
  }
  isDrawing = false;
}

const style = document.createElement("style");
style.textContent = STYLE;
document.head.append(style);
window.addEventListener("message", (event: MessageEvent<Task>) => {
  if (event.source === window.parent && event.data.type === "draw") void run(event.data);
});
new ResizeObserver(tellHeight).observe(document.body);
tell({ type: "ready" });

export {};
