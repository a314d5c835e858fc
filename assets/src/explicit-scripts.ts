// Scripts in what servers send. htmx strips them all; those that carry this page's nonce, which nobody outside knows,
// are run here, each once, and the libraries they use are there before them.

import { on, type AnswerDetail } from "./explicit-htmx";
import { load, missingFor } from "./explicit-libraries";
import { byId, pageNonce, parsed } from "./page";

/** Type of a script in the page itself that waits for this file, and for htmx. */
const HELD = "text/explicit";

const done = new WeakSet<XMLHttpRequest>();

/** Run scripts in their order; `put` brings the new element into the document. */
async function run(scripts: HTMLScriptElement[], put: (made: HTMLScriptElement, of: HTMLScriptElement) => void): Promise<void> {
  for (const script of scripts) {
    const missing = missingFor(script.text);
    // One that cannot be loaded stops nothing else: the script finds out by itself.
    if (missing.length) await Promise.allSettled(missing.map(load));
    const made = copy(script);
    const over = made.src ? ended(made) : undefined;
    put(made, script);
    await over;
  }
}

/** What is fetched has run, or cannot be had; either way the next script's turn has come. */
function ended(script: HTMLScriptElement): Promise<void> {
  return new Promise((resolve) => {
    for (const type of ["load", "error"]) script.addEventListener(type, () => resolve());
  });
}

/** A script element that has run, or was parsed elsewhere, never runs; a new one does. */
function copy(script: HTMLScriptElement): HTMLScriptElement {
  const made = document.createElement("script");
  for (const { name, value } of script.attributes) made.setAttribute(name, value);
  if (made.type === HELD) made.removeAttribute("type");
  made.nonce = pageNonce();
  made.async = false;
  made.text = script.text;
  return made;
}

function withNonce(root: ParentNode, nonceOf: (script: HTMLScriptElement) => string | null): HTMLScriptElement[] {
  const nonce = pageNonce();
  return [...root.querySelectorAll("script")].filter((script) => nonce && nonceOf(script) === nonce);
}

function runSwapped({ elt, xhr }: AnswerDetail): void {
  if (done.has(xhr)) return; // The event comes once for each element that was swapped in.
  done.add(xhr);
  if (!xhr.responseText.includes("<script")) return;
  const scripts = withNonce(parsed(xhr.responseText), (script) => script.getAttribute("nonce"));
  void run(scripts, (made, script) => {
    const home = byId(script.parentElement?.closest("[id]")?.id ?? "");
    (home ?? (elt.isConnected ? elt : document.body)).append(made);
  });
}

export function startScripts(): void {
  on("htmx:afterSwap", runSwapped);
  // In the document itself browsers hide the attribute, and keep the property.
  const own = withNonce(byId("explicit") ?? document, (script) => script.nonce);
  const held = own.filter((script) => script.type === HELD);
  void run(held, (made, script) => script.replaceWith(made));
  // Others ran while the page was read; what they left behind may use a library when somebody presses a button.
  for (const library of new Set(own.flatMap((script) => missingFor(script.text)))) load(library).catch(() => {});
}
