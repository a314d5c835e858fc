// What is half typed survives a reload and a crash of the page: kept per tab and form, never secrets.

import { filled } from "./needs";
import { button } from "./page";

type Values = Record<string, string[]>;

interface Draft {
  seen: string;
  initial: Values;
  values: Values;
}

const initial = new WeakMap<HTMLFormElement, Values>();

function key(name: string): string {
  return `draft:${name}`;
}

function load(name: string): Draft | null {
  const text = sessionStorage.getItem(key(name));
  return text ? (JSON.parse(text) as Draft) : null;
}

export function drop(name: string): void {
  sessionStorage.removeItem(key(name));
}

function valuesOf(form: HTMLFormElement): Values {
  const values: Values = {};
  for (const field of fieldsOf(form)) {
    values[field.name] ??= [];
    if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type) && !field.checked) continue;
    values[field.name]?.push(field.value);
  }
  return values;
}

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function fieldsOf(form: HTMLFormElement): Field[] {
  return ([...form.elements] as Field[]).filter(
    (field) =>
      field.matches("input, textarea, select") && field.name && !field.name.startsWith("_") && !["hidden", "password", "file"].includes(field.type),
  );
}

function fill(form: HTMLFormElement, values: Values): void {
  for (const field of fieldsOf(form)) {
    const kept = values[field.name];
    if (!kept) continue;
    if (field instanceof HTMLInputElement && ["checkbox", "radio"].includes(field.type)) {
      field.checked = kept.includes(field.value);
    } else {
      field.value = kept[kept.length - 1] ?? "";
    }
  }
  filled(form);
}

const same = (a: Values, b: Values): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whether somebody has typed into the form what the server does not have. */
export function isDirty(form: HTMLFormElement): boolean {
  const before = initial.get(form);
  return before !== undefined && !same(before, valuesOf(form));
}

/** Take in the forms below an element: bring back what was typed in them before. */
export function restore(root: ParentNode): void {
  for (const form of root.querySelectorAll<HTMLFormElement>("form[data-draft]")) {
    if (initial.has(form) || form.dataset["keepsDraft"] !== undefined) continue;
    const name = form.dataset["draft"] as string;
    const shown = valuesOf(form);
    initial.set(form, shown);
    const draft = load(name);
    if (!draft || same(draft.values, shown)) continue;
    fill(form, draft.values);
    if (!same(draft.initial, shown)) {
      // The step was changed elsewhere meanwhile: name the version this was typed against, so that it is noticed.
      const seen = form.querySelector<HTMLInputElement>("input[name=_seen]");
      if (seen && draft.seen) seen.value = draft.seen;
    }
    if (form.dataset["note"] === undefined && form.dataset["quiet"] === undefined) offerToDiscard(form, name, shown);
  }
}

function offerToDiscard(form: HTMLFormElement, name: string, shown: Values): void {
  const line = document.createElement("p");
  line.className = "help restored";
  line.append("What you had typed is back. ");
  line.append(
    button("Discard it", "quiet", () => {
      drop(name);
      fill(form, shown);
      line.remove();
    }),
  );
  form.prepend(line);
}

function keep(form: HTMLFormElement): void {
  const name = form.dataset["draft"];
  if (!name || form.dataset["keepsDraft"] !== undefined) return;
  const known = load(name);
  const shown = initial.get(form) ?? valuesOf(form);
  const values = valuesOf(form);
  if (!known && same(shown, values)) return;
  const seen = form.querySelector<HTMLInputElement>("input[name=_seen]")?.value ?? "";
  const draft: Draft = { seen: known?.seen ?? seen, initial: known?.initial ?? shown, values };
  try {
    sessionStorage.setItem(key(name), JSON.stringify(draft));
  } catch {
    // No room: the draft is lost on a reload, and nothing else is.
  }
}

export function startDrafts(): void {
  for (const type of ["input", "change"]) {
    document.addEventListener(type, (event) => {
      // A field may be of a form that it does not stand in.
      const target = event.target as Field;
      const form = target.form ?? target.closest?.<HTMLFormElement>("form[data-draft]");
      if (form?.dataset["draft"]) keep(form);
    });
  }
  document.addEventListener("click", (event) => {
    const source = (event.target as Element).closest?.<HTMLElement>("[data-drops-draft]");
    if (!source) return;
    const name = source.dataset["dropsDraft"] || source.closest<HTMLFormElement>("form")?.dataset["draft"];
    if (name) drop(name);
  });
  restore(document);
}
