// A field that is edited in its cell: Enter saves, Escape restores, Tab goes on. Nothing typed is lost on the way.

import { cellAt, cellsOf, columnOf, go, isStillAt, toAddRow, walk } from "./records-cells";
import { parsed } from "./page";
import { addressOf, complain, noted, rowOf, rows, takeRow } from "./records-list";
import { dress, get, inTurn, post } from "./records-server";

type After = "stay" | "down" | "next" | "before";

const before = new WeakMap<Element, Node[]>();
let opening: { typed: string; then: After | "leave" | null } | null = null;

export function canEdit(cell: HTMLTableCellElement): boolean {
  return cell.dataset["field"] !== undefined && !cell.querySelector("button.tick") && !cell.closest("[data-bin]");
}

export const formIn = (cell: Element): HTMLFormElement | null => cell.querySelector("form.cell-editor");

const MEANT: Record<string, After | "leave"> = { Enter: "down", Tab: "next", Escape: "leave" };

/** Take in a key that was pressed before the field was there; tell whether it was. */
export function pressedEarly(event: KeyboardEvent): boolean {
  if (!opening) return false;
  if (opening.then) return true; // What comes after that would be for another cell; it is not there yet either.
  if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) opening.typed += event.key;
  opening.then = event.key === "Tab" && event.shiftKey ? "before" : (MEANT[event.key] ?? null);
  return true;
}

/** Open the field of a cell; `typed` replaces what is in it. */
export async function edit(cell: HTMLTableCellElement, typed = ""): Promise<void> {
  if (!canEdit(cell) || opening || formIn(cell)) return;
  const row = cell.closest("tr") as HTMLElement;
  opening = { typed, then: null };
  const answer = await get(addressOf(row.dataset["record"] ?? "", `cells/${cell.dataset["field"]}`));
  const { typed: early, then } = opening;
  opening = null;
  const now = cellAt(rowOf(row.dataset["record"] ?? ""), columnOf(cell)); // It may have been drawn anew meanwhile.
  if (answer.status !== 200 || !now) return complain(answer);
  const isHere = isStillAt(now);
  before.set(now, [...now.childNodes]);
  showForm(now, answer.text, early);
  if (then === "leave") leave(now, isHere);
  else if (then) await save(now, then);
  else if (!isHere) await save(now, "stay"); // Whoever went on meant what they typed.
}

function showForm(cell: HTMLTableCellElement, html: string, typed = ""): void {
  const isHere = isStillAt(cell);
  cell.classList.add("editing");
  const box = cell.closest(".scroll")?.getBoundingClientRect();
  cell.classList.toggle("is-last", box !== undefined && cell.getBoundingClientRect().left > box.left + box.width * 0.6);
  cell.replaceChildren(parsed(html));
  const form = formIn(cell) as HTMLFormElement;
  dress();
  const field = form.querySelector<HTMLInputElement>(":is(input, select, textarea):not([type=hidden], .visually-hidden)");
  if (field && typed && "select" in field) {
    field.value = ["number", "text", "email", "url", "textarea"].includes(field.type) ? typed : field.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (isHere) field?.focus({ preventScroll: true });
  if (field && isHere && !typed && "select" in field && field.type !== "textarea") field.select();
  form.dataset["began"] = typed ? "" : valuesOf(form);
}

const valuesOf = (form: HTMLFormElement): string =>
  new URLSearchParams([...new FormData(form)] as [string, string][]).toString();

const isChanged = (form: HTMLFormElement): boolean => valuesOf(form) !== form.dataset["began"];

/** Put the cell back as it was. */
export function leave(cell: HTMLTableCellElement, focuses = true): void {
  const nodes = before.get(cell);
  const isStale = formIn(cell)?.dataset["stale"] !== undefined || cell.closest("tr")?.dataset["stale"] !== undefined;
  cell.classList.remove("editing");
  cell.replaceChildren(...(nodes ?? []));
  before.delete(cell);
  if (focuses) go(cell);
  if (isStale) void reread(cell);
}

/** Show a record as it is now. */
async function reread(cell: HTMLTableCellElement): Promise<void> {
  const row = cell.closest("tr") as HTMLElement;
  const answer = await inTurn(() => get(addressOf(row.dataset["record"] ?? "", "row")));
  if (answer.status === 200) takeRow(answer.text);
}

/** Save what was typed; what is wrong with it is said in the cell, and the focus stays there. */
export async function save(cell: HTMLTableCellElement, after: After): Promise<void> {
  const form = formIn(cell);
  if (!form || form.getAttribute("aria-busy") === "true") return;
  if (form.querySelector(".sending")) {
    if (after !== "stay") say(form, "A file is still on its way. Wait for it, or cancel it.");
    return;
  }
  if (!isChanged(form)) {
    leave(cell, after !== "stay");
    return goOn(cell, after);
  }
  const wrong = ([...form.elements] as HTMLInputElement[]).find((field) => field.validity?.badInput);
  if (wrong) {
    wrong.reportValidity(); // Half a date is sent as nothing: the browser knows that it is wrong, we do not.
    return;
  }
  form.setAttribute("aria-busy", "true");
  const row = cell.closest("tr") as HTMLElement;
  const values = new FormData(form);
  const answer = await inTurn(() => post(addressOf(row.dataset["record"] ?? ""), values));
  form.removeAttribute("aria-busy");
  if (answer.status === 200) {
    noted(answer.operation);
    const isHere = after === "stay" ? cell.contains(document.activeElement) : isStillAt(cell);
    cell.classList.remove("editing"); // Others of the row are still typed into, this one is not.
    const shown = takeRow(answer.text);
    const now = cellAt(shown, columnOf(cell));
    if (isHere && now) {
      if (after === "stay" || after === "down") go(now);
      goOn(now, after);
    }
  } else if (answer.status === 422 || answer.status === 409) {
    const shown = answer.text.includes("cell-editor");
    if (!shown) return say(form, answer.notice);
    showForm(cell, answer.text);
    const next = formIn(cell);
    if (next) {
      next.dataset["began"] = ""; // What is in it is not stored.
      if (answer.status === 409) next.dataset["stale"] = "";
    }
  } else {
    say(form, answer.notice);
  }
}

function say(form: HTMLFormElement, words: string): void {
  form.querySelector(".send-problem")?.remove();
  const line = document.createElement("p");
  line.className = "problem send-problem";
  line.setAttribute("role", "alert");
  line.textContent = words;
  form.append(line);
}

function goOn(cell: HTMLTableCellElement, after: After): void {
  if (after === "down") walk(cell, 1, 0);
  if (after !== "next" && after !== "before") return;
  const step = after === "next" ? 1 : -1;
  const all = rows().flatMap((row) => cellsOf(row).filter(canEdit));
  const next = all[all.indexOf(cell) + step];
  if (next) {
    go(next);
    void edit(next);
  } else if (after === "next") {
    toAddRow();
  } else {
    go(cell);
  }
}

/** Whether something is a field for files, where Enter opens what they are chosen in. */
export const isForFiles = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement && target.type === "file";

/** Hear the keys that mean something while a field is edited. */
export function pressed(event: KeyboardEvent, cell: HTMLTableCellElement): void {
  if (event.defaultPrevented || event.isComposing) return;
  const isLong = event.target instanceof HTMLTextAreaElement;
  const isButton = event.target instanceof HTMLButtonElement || isForFiles(event.target);
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    leave(cell);
  } else if (event.key === "Enter" && !isButton && (!isLong || event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.stopPropagation();
    void save(cell, "down");
  } else if (event.key === "Tab") {
    event.preventDefault();
    void save(cell, event.shiftKey ? "before" : "next");
  }
}
