// Forms that plugins wrote take part in what ours do: what is half typed survives, and a button works once.

import { on, type AnswerDetail, type RequestDetail } from "./explicit-htmx";
import { tabRun } from "./explicit-run";
import { byId } from "./page";

const explicitName = (key: string): string => `explicit:${key}:`;

const draftKey = (name: string): string => `draft:${name}`; // As `drafts.ts` has it.

const TYPED = "textarea, select, input:not([type=hidden], [type=password], [type=file], [type=submit], [type=button])";

/** Give the forms of plugins a name for their draft, before drafts are brought back. */
function nameForms(): void {
  const root = byId("explicit");
  for (const form of root?.querySelectorAll<HTMLFormElement>("form:not([data-draft])") ?? []) {
    if (form.closest("#explicit-head")) continue; // Ours.
    if (form.hasAttribute("hx-post")) takeOver(form);
    if (form.querySelector(TYPED)) nameForm(form);
  }
}

function takeOver(form: HTMLFormElement): void {
  form.setAttribute("method", "post"); // So that it is busy while it is sent.
  window.htmx.process(form); // Otherwise done a moment later, and Enter would lead away from the page until then.
}

function bringBack(): void {
  document.dispatchEvent(new CustomEvent("pipulate:forms"));
}

function nameForm(form: HTMLFormElement): void {
  const { key, version } = tabRun();
  const step = form.parentElement?.closest("[id]")?.id ?? "";
  form.dataset["draft"] = unused(explicitName(key || location.pathname) + step);
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
  key: string;
  version: number;
}

const sent = new WeakMap<HTMLElement, Sent>();

function remember({ elt }: RequestDetail): void {
  const name = elt.closest<HTMLFormElement>("#explicit form")?.dataset["draft"];
  const text = name && sessionStorage.getItem(draftKey(name));
  const { id, key, version } = tabRun();
  if (text) sent.set(elt, { name, text, run: id, key, version });
}

/** Whether nothing stands in any field: so an empty key is sent, for the page to be loaded with the next free one. */
function isBlank(draft: string): boolean {
  const { values } = JSON.parse(draft) as { values: Record<string, string[]> };
  return Object.values(values).flat().every((each) => !each.trim());
}

/** Plugins answer what they do not accept with 200 and a sentence: where the run stayed as it was, the draft stays. */
function keepUnaccepted({ elt, xhr, requestConfig }: AnswerDetail): void {
  const before = sent.get(requestConfig?.elt ?? elt);
  if (before && xhr.getResponseHeader("hx-refresh") === "true") {
    if (isBlank(before.text)) sessionStorage.removeItem(draftKey(before.name));
    return; // The page goes, and what was typed in it comes back with the next one.
  }
  const { id, version } = tabRun();
  if (before && id && before.run === id && before.version === version) {
    sessionStorage.setItem(draftKey(before.name), before.text);
  }
  if (before && id && before.run !== id && elt.closest("[data-carries-draft]")) carry(before, xhr);
  const refused = document.querySelector<HTMLElement>("#explicit .conflict:not([data-of])");
  if (before && refused) inherit(refused, before.name);
  sent.delete(requestConfig?.elt ?? elt);
  bringBack();
}

/** The copy of a run that one was led to has the same form; what was typed is there when its page is opened. */
function carry(before: Sent, xhr: XMLHttpRequest): void {
  const key = decodeURIComponent(xhr.getResponseHeader("hx-redirect")?.split("/").pop() ?? "");
  const name = before.name.replace(explicitName(before.key), () => explicitName(key));
  // The form was made for a version of the other run; in the copy it is the newest one that it fits.
  const draft = { ...(JSON.parse(before.text) as object), seen: String(tabRun().version) };
  sessionStorage.setItem(draftKey(name), JSON.stringify(draft));
}

/** What stands in place of a form that was refused holds its draft: either choice ends it. */
function inherit(refused: HTMLElement, name: string): void {
  refused.dataset["of"] = name;
  for (const form of refused.querySelectorAll<HTMLFormElement>("form[hx-post]")) {
    Object.assign(form.dataset, { draft: name, keepsDraft: "" }); // It shows what was typed already.
  }
  for (const link of refused.querySelectorAll<HTMLElement>("a")) link.dataset["dropsDraft"] = name;
}

export function startDrafts(): void {
  on("htmx:afterSwap", nameForms);
  on("htmx:configRequest", remember);
  on("htmx:afterRequest", keepUnaccepted); // After the listener of `requests.ts`, which drops what was taken.
  nameForms();
  bringBack();
}
