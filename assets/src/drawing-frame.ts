// The only script of the page in the frame of a figure: takes what it is drawn with, draws it, and says how high it is.

interface Task {
  type: "draw";
  kind: "bokeh" | "mermaid";
  content: unknown;
  libraries: string[];
  look: Record<string, string>;
}

interface Libraries {
  Bokeh?: { embed: { embed_item(item: unknown, target: HTMLElement): Promise<unknown> } };
  mermaid?: { render(id: string, text: string): Promise<{ svg: string }> };
}

const STYLE = `
html { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); }
body { display: flow-root; margin: 0; }
body.light { background: #fff; color: #1b1f27; border-radius: 4px; }
svg { display: block; max-width: 100%; height: auto; }
`;

const nonce = (document.currentScript as HTMLScriptElement).nonce;
let hasRun = false;

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
  for (const each of libraries) bring(each);
  const { Bokeh, mermaid } = window as unknown as Libraries;
  const place = document.createElement("div");
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

async function run(task: Task): Promise<void> {
  hasRun = true;
  try {
    await draw(task);
    tell({ type: "drawn" });
    tellHeight();
    new ResizeObserver(tellHeight).observe(document.body);
  } catch (error) {
    tell({ type: "problem", words: error instanceof Error ? error.message : String(error) });
  }
}

const style = document.createElement("style");
style.textContent = STYLE;
document.head.append(style);
window.addEventListener("message", (event: MessageEvent<Task>) => {
  if (event.source === window.parent && event.data.type === "draw" && !hasRun) void run(event.data);
});
tell({ type: "ready" });

export {};
