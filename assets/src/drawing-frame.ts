// The only script of the page in the frame of a figure: takes what it is drawn with, draws it, and says how high it is.

interface Task {
  type: "draw";
  kind: "bokeh" | "mermaid";
  content: unknown;
  libraries: string[];
  look: Record<string, string>;
}

/** What of Bokeh's tables is used here: the order of their rows, and of which columns it is. */
interface Sorted {
  sortAsc: boolean;
  sortCol: { field: string; parent?: { model: TableModel } };
}

interface TableModel {
  name: string | null;
  columns: { field: string }[];
}

interface Provider {
  index: number[]; // numbers of the rows in the source, as they are shown
  getField(place: number, field: string): unknown;
  sort(columns: Sorted[]): void;
}

interface Views {
  query?(fits: (view: { model: TableModel; data?: Provider }) => boolean): Iterable<{ data?: Provider }>;
}

interface Libraries {
  Bokeh?: {
    documents: { clear(): void }[];
    embed: { embed_item(item: unknown, target: HTMLElement): Promise<Views> };
  };
  mermaid?: { render(id: string, text: string): Promise<{ svg: string }> };
}

const STYLE = `
html { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); }
body { display: flow-root; margin: 0; }
body.light { background: #fff; color: #1b1f27; border-radius: 4px; }
svg { display: block; max-width: 100%; height: auto; }
`;

const OURS = "report-rows"; // The name that the server gives to the table of a report.
const isOrdered = new Set<Provider>();
const known = new WeakMap<Provider, TableModel>();
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
    order(await Bokeh.embed.embed_item(content, place));
  } else if (kind === "mermaid" && mermaid) {
    place.innerHTML = (await mermaid.render("diagram", String(content))).svg;
  } else {
    throw new Error("its library is not there.");
  }
}

/** Have the table of a report sort as its downloads do, and tell by what it is sorted. */
function order(views: Views): void {
  for (const { data } of views.query?.(({ model, data }) => model.name === OURS && data !== undefined) ?? []) {
    const provider = Object.getPrototypeOf(data) as Provider;
    if (isOrdered.has(provider)) continue;
    isOrdered.add(provider);
    const { sort } = provider;
    provider.sort = function (columns) {
      const model = columns[0]?.sortCol.parent?.model ?? known.get(this); // None is named where no order is wanted.
      if (model?.name !== OURS) return sort.call(this, columns);
      known.set(this, model);
      sortRows(this, columns);
      const places = columns.map(({ sortCol }) => model.columns.findIndex(({ field }) => field === sortCol.field));
      tell({ type: "sorted", by: places.map((place, each) => `${columns[each]?.sortAsc ? "" : "-"}${place}`).join(",") });
    };
  }
}

/** Equal rows stay as they came, missing values are last in either direction, and the case of letters is no matter. */
function sortRows(table: Provider, columns: Sorted[]): void {
  const places = new Map([...table.index].map((row, place) => [row, place]));
  const values = columns.map(
    ({ sortCol }) => new Map([...places].map(([row, place]) => [row, sortable(table.getField(place, sortCol.field))])),
  );
  table.index.sort((one, two) => {
    for (const [each, { sortAsc }] of columns.entries()) {
      const [left, right] = [values[each]?.get(one) ?? null, values[each]?.get(two) ?? null];
      if (left === right) continue;
      if (left === null || right === null) return left === null ? 1 : -1;
      return left < right === sortAsc ? -1 : 1;
    }
    return one - two;
  });
}

function sortable(value: unknown): string | number | boolean | null {
  if (typeof value === "string") return value.toLowerCase();
  if (typeof value === "boolean" || (typeof value === "number" && !Number.isNaN(value))) return value;
  return typeof value === "bigint" ? Number(value) : null;
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
