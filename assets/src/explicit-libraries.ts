// The libraries that plugin markup may use. None is loaded before something uses it.

import type Prism from "prismjs";
import type { MarkedGlobal } from "./explicit-marked";
import type { MermaidGlobal } from "./explicit-mermaid";
import { byId, pageNonce } from "./page";

declare global {
  interface Window {
    marked: MarkedGlobal;
    mermaid: MermaidGlobal;
    Prism: typeof Prism;
  }
}

const FILES = { marked: "marked.js", mermaid: "mermaid.js", Prism: "prism.js" };

export type Library = keyof typeof FILES;

const loading = new Map<Library, Promise<void>>();

function addressOf(library: Library): string {
  const known = byId("explicit-libraries")?.textContent ?? "{}";
  return (JSON.parse(known) as Record<string, string>)[FILES[library]] ?? "";
}

/** Bring a library onto the page, once. */
export function load(library: Library): Promise<void> {
  const known = loading.get(library);
  if (known) return known;
  const promise = new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.nonce = pageNonce();
    script.src = addressOf(library);
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => {
      loading.delete(library); // So that the next use tries again.
      script.remove();
      reject(new Error(`${FILES[library]} could not be loaded`));
    });
    document.head.append(script);
  });
  loading.set(library, promise);
  return promise;
}

/** The libraries that code uses and the page does not have yet. */
export function missingFor(code: string): Library[] {
  const names = Object.keys(FILES) as Library[];
  return names.filter((name) => !window[name] && new RegExp(`\\b${name}\\s*(\\?\\.|\\.|\\[)`).test(code));
}
