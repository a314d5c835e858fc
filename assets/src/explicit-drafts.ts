// Forms that plugins wrote take part in what ours do: what is half typed survives, and a button works once.

import { on, type AnswerDetail, type RequestDetail } from "./explicit-htmx";
import { tabRun } from "./explicit-run";
import { byId } from "./page";

const draftKey = (name: string): string => `draft:${name}`; // As `drafts.ts` has it.

const TYPED = "textarea, select, input:not([type=hidden], [type=password], [type=file], [type=submit], [type=button])";

/** Give the forms of plugins a name for their draft, before drafts are brought back. */
function nameForms(): void {
  const root = byId("explicit");
  for (const form of root?.querySelectorAll<HTMLFormElement>("form:not([data-draft])") ?? []) {
    if (form.hasAttribute("hx-post")) form.setAttribute("method", "post"); // So that it is busy while it is sent.
    if (form.querySelector(TYPED)) nameForm(form);
  }
}

function bringBack(): void {
  document.dispatchEvent(new CustomEvent("pipulate:forms"));
}

function nameForm(form: HTMLFormElement): void {
  const { key, version } = tabRun();
  const step = form.parentElement?.closest("[id]")?.id ?? "";
  form.dataset["draft"] = unused(`explicit:${key || location.pathname}:${step}`);
  // A draft keeps the version it was typed against in this field. Disabled, because plugins must not get it.
  const seen = document.createElement("input");
  seen.type = "hidden";
  seen.name = "_seen";
  seen.disabled = true;
  seen.value = seen.dataset["shown"] = form.dataset["pipSeen"] ?? String(version);
  form.prepend(seen);
}

/** Two forms in one place have drafts of their own. */
function unused(name: string): string {
  const taken = new Set([...document.forms].map((form) => form.dataset["draft"]));
  let found = name;
  for (let number = 2; taken.has(found); number += 1) found = `${name}:${number}`;
  return found;
}

interface Sent {
  name: string;
  text: string;
  run: string;
  version: number;
}

const sent = new WeakMap<HTMLElement, Sent>();

function remember({ elt }: RequestDetail): void {
  const name = elt.closest<HTMLFormElement>("#explicit form")?.dataset["draft"];
  const text = name && sessionStorage.getItem(draftKey(name));
  if (text) sent.set(elt, { name, text, run: tabRun().id, version: tabRun().version });
}

/** Plugins answer what they do not accept with 200 and a sentence: where the run stayed as it was, the draft stays. */
function keepUnaccepted({ elt, requestConfig }: AnswerDetail): void {
  const before = sent.get(requestConfig?.elt ?? elt);
  const { id, version } = tabRun();
  if (before && id && before.run === id && before.version === version) {
    sessionStorage.setItem(draftKey(before.name), before.text);
  }
  sent.delete(requestConfig?.elt ?? elt);
  bringBack();
}

export function startDrafts(): void {
  on("htmx:afterSwap", nameForms);
  on("htmx:configRequest", remember);
  on("htmx:afterRequest", keepUnaccepted); // After the listener of `requests.ts`, which drops what was taken.
  nameForms();
  bringBack();
}
