// Figures and diagrams. Each is drawn in a frame without an origin, which reaches neither this page nor any network: it
// gets what it needs as messages, and says how high it is. Nothing is fetched before it comes into view.


const HIGHEST_PX = 4000;
const AHEAD = "300px";
const SORTED = /^(-?[0-9]{1,5}(,-?[0-9]{1,5}){0,7})?$/;

interface Drawn {
  element: HTMLElement;
  frame: HTMLIFrameElement;
  task: Promise<Record<string, unknown>>;
  isReady: boolean;
}

const drawn = new Map<HTMLIFrameElement, Drawn>();
const texts = new Map<string, Promise<string>>();

async function fetched(address: string): Promise<string> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

/** The text of a library, once for all figures of the page. */
function libraryText(name: string): Promise<string> {
  const known = texts.get(name);
  if (known) return known;
  const text = fetched(name);
  texts.set(name, text);
  text.catch(() => texts.delete(name));
  return text;
}

/** The colours of this page; a frame inherits none. */
function look(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  const named = ["--ink", "--paper", "--line", "--accent", "--danger"];
  return Object.fromEntries([
    ["color-scheme", style.colorScheme],
    ...named.map((name) => [name, style.getPropertyValue(name)]),
  ]);
}

/** What is drawn: as it stands in the element itself, or behind the address it names. */
async function sourceOf(element: HTMLElement): Promise<string> {
  const inside = element.querySelector(":scope > script[type='application/json']");
  return inside?.textContent ?? fetched(element.dataset["source"] ?? "");
}

async function taskOf(element: HTMLElement): Promise<Record<string, unknown>> {
  const names = (element.dataset["libraries"] ?? "").split(" ").filter(Boolean);
  const [source, ...libraries] = await Promise.all([sourceOf(element), ...names.map(libraryText)]);
  return { type: "draw", kind: element.dataset["draws"], content: JSON.parse(source ?? "null"), libraries, look: look() };
}

function complain(element: HTMLElement, words: string): void {
  element.querySelector(".problem")?.remove();
  const line = document.createElement("p");
  line.className = "problem";
  line.textContent = words;
  element.append(line);
}

function failed(made: Drawn, reason: string): void {
  made.frame.remove();
  drawn.delete(made.frame);
  for (const each of made.element.children) (each as HTMLElement).hidden = false;
  complain(made.element, `This figure cannot be shown: ${reason}`);
}

function draw(element: HTMLElement): void {
  if (!element.dataset["source"] && !element.querySelector("script")) return;
  const frame = document.createElement("iframe");
  frame.title = element.dataset["title"] ?? "";
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  frame.src = "/-/frame";
  tidy();
  const made: Drawn = { element, frame, task: taskOf(element), isReady: false };
  made.task.catch((error: unknown) => failed(made, `its parts could not be loaded (${String(error)}).`));
  drawn.set(frame, made);
  element.append(frame);
  element.addEventListener("pipulate:redraw", () => redraw(made));
}

/** Draw something else in the same frame; what was drawn before is let go of there. */
function redraw(made: Drawn): void {
  const task = taskOf(made.element);
  made.task = task;
  task.then(
    (content) => {
      if (made.task === task && made.isReady) made.frame.contentWindow?.postMessage(content, "*");
    },
    (error: unknown) => failed(made, `its parts could not be loaded (${String(error)}).`),
  );
}

/** Forget the frames that are not on the page any more. */
function tidy(): void {
  for (const frame of drawn.keys()) if (!frame.isConnected) drawn.delete(frame);
}

/** Have the downloads of a table come in the order that it was given. */
function follow(element: HTMLElement, by: string): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("a[data-follows]")) {
    if (link.dataset["follows"] !== element.id) continue;
    const address = new URL(link.href);
    if (by) address.searchParams.set("sort", by);
    else address.searchParams.delete("sort");
    link.href = address.pathname + address.search;
  }
}

function onMessage(event: MessageEvent<{ type?: unknown; height?: unknown; words?: unknown; by?: unknown } | null>): void {
  if (event.origin !== "null") return;
  const made = [...drawn.values()].find(({ frame }) => frame.contentWindow === event.source);
  if (!made) return;
  const { element, frame } = made;
  if (event.data?.type === "ready") {
    made.isReady = true;
    // The origin of such a frame has no name to address; what it gets is what it is there to draw.
    made.task.then((content) => frame.contentWindow?.postMessage(content, "*"), () => {});
  }
  if (event.data?.type === "drawn") {
    for (const each of element.children) if (each !== frame) (each as HTMLElement).hidden = true;
    element.dataset["drawn"] = "";
  }
  if (event.data?.type === "size") {
    const height = Math.ceil(Number(event.data.height));
    if (height > 0) frame.style.height = `${Math.min(height, HIGHEST_PX)}px`;
  }
  if (event.data?.type === "sorted" && SORTED.test(String(event.data.by))) {
    follow(element, String(event.data.by));
  }
  if (event.data?.type === "problem") failed(made, String(event.data.words).slice(0, 300));
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target as HTMLElement);
    }
  },
  { rootMargin: AHEAD },
);

window.addEventListener("message", onMessage);
(window.pipulateNeeds ??= {})["drawing"] = (element) => near.observe(element);

export {};
