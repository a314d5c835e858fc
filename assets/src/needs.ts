// What only some pages need: an element names it (`data-needs="code-editor"`), and its script and style are fetched
// when such an element is on the page. Without them the element works as the server drew it.

import { pageNonce } from "./page";

declare global {
  // Put in by the build: name of a file -> its address.
  const NEEDS: Record<string, string>;

  interface Window {
    /** Name of a need -> what makes an element more than it is. Each script puts itself here when it is there. */
    pipulateNeeds?: Record<string, (element: HTMLElement) => void>;
  }

  interface Element {
    /** Attributes a script has changed, which a refresh of the page leaves alone. */
    pipulateKeeps?: readonly string[];
  }
}

const loading = new Map<string, Promise<void>>();
const dressed = new WeakMap<HTMLElement, Set<string>>();

function fetchScript(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.nonce = pageNonce();
    script.src = address;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => {
      script.remove();
      reject(new Error(`${address} could not be loaded`));
    });
    document.head.append(script);
  });
}

function fetchStyle(address: string): Promise<void> {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    for (const type of ["load", "error"]) link.addEventListener(type, () => resolve());
    document.head.append(link);
  });
}

function load(name: string): Promise<void> {
  const known = loading.get(name);
  if (known) return known;
  const script = NEEDS[`${name}.js`];
  const style = NEEDS[`${name}.css`];
  const both = Promise.all([style ? fetchStyle(style) : null, script ? fetchScript(script) : null]).then(() => {});
  loading.set(name, both);
  both.catch(() => loading.delete(name)); // So that the next element tries again.
  return both;
}

async function dress(element: HTMLElement, name: string): Promise<void> {
  const has = dressed.get(element) ?? new Set();
  if (has.has(name)) return;
  dressed.set(element, has.add(name));
  try {
    await load(name);
    if (element.isConnected) window.pipulateNeeds?.[name]?.(element);
  } catch {
    has.delete(name);
  }
}

/** Fetch what the elements on the page need, and let it take them in. */
export function dressAll(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-needs]")) {
    for (const name of (element.dataset["needs"] ?? "").split(" ")) void dress(element, name);
  }
}

/** Say that the content of fields was changed by a script, so that what stands in for them follows. */
export function filled(root: ParentNode): void {
  for (const element of root.querySelectorAll("[data-needs]")) element.dispatchEvent(new Event("pipulate:filled"));
}

/**
 * How a refresh leaves alone what scripts have put into the page: elements with `data-own`, attributes in
 * `pipulateKeeps`, and places of live views that something was drawn in; and what somebody has opened or closed.
 */
export const keeping = {
  beforeNodeRemoved: (node: Node): boolean => !isOwn(node),
  beforeNodeMorphed: (node: Node, next: Node): boolean => !isOwn(node) && !isDrawn(node, next),
  beforeAttributeUpdated: (name: string, element: Element): boolean =>
    !element.pipulateKeeps?.includes(name) && !(name === "open" && element instanceof HTMLDetailsElement),
};

function isOwn(node: Node): boolean {
  return node instanceof HTMLElement && node.dataset["own"] !== undefined;
}

function isDrawn(node: Node, next: Node): boolean {
  if (!(node instanceof HTMLElement && next instanceof HTMLElement) || !node.dataset["at"]) return false;
  return ["live", "liveAt"].some((name) => node.dataset[name] !== undefined && node.dataset[name] === next.dataset[name]);
}

export function startNeeds(): void {
  for (const type of ["htmx:afterSettle", "pipulate:forms"]) document.addEventListener(type, dressAll);
  dressAll();
}
