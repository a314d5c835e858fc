// A field that is edited in its cell: Enter saves, Escape restores, Tab goes on. Nothing typed is lost on the way.

import { cellAt, cellsOf, columnOf, go, isStillAt, toAddRow, walk } from "./records-cells";
import { parsed } from "./page";
import { addressOf, complain, noted, rowOf, rows, takeRow } from "./records-list";
import { type Answer, dress, get, inTurn, post } from "./records-server";

const FIELD = ":is(input, select, textarea):not([type=hidden], .visually-hidden)";

type After = "stay" | "down" | "next" | "before";

const before = new WeakMap<Element, Node[]>();
let deeds = 0; // Keys and clicks until now.

/** A field that is on its way to its cell, and what was typed for it meanwhile. */
interface Opening {
  at: string;
  typed: string;
  replaces: boolean; // Typing on a cell replaces what is in it; typing that follows Enter or a click does not.
  left: Left | null; // Where its cell was left already.
}

/** Where somebody went on to, and what they had done until then. */
interface Left {
  to: Element | null;
  deeds: number;
}

let opening: Opening | null = null;

export function canEdit(cell: HTMLTableCellElement): boolean {
  return cell.dataset["field"] !== undefined && !cell.querySelector("button.tick") && !cell.closest("[data-bin]");
}

export const formIn = (cell: Element): HTMLFormElement | null => cell.querySelector("form.cell-editor");

const isBusy = (form: HTMLFormElement | null): boolean => form?.getAttribute("aria-busy") === "true";

const recordOf = (cell: HTMLTableCellElement): string => cell.closest("tr")?.dataset["record"] ?? "";

const placeOf = (cell: HTMLTableCellElement): string => `${recordOf(cell)} ${columnOf(cell)}`;

/** Count what somebody does: who did nothing since is called back to what was refused. */
export function noticeDeed(): void {
  deeds += 1;
}

const mark = (): Left => ({ to: document.activeElement, deeds });

/** Take in a key that was pressed before the field of its cell was there; tell whether it was. */
export function pressedEarly(event: KeyboardEvent, cell: HTMLTableCellElement): boolean {
  const now = opening;
  if (now?.at !== placeOf(cell)) return false;
  if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) now.typed += event.key;
  else if (event.key === "Backspace") now.typed = now.typed.slice(0, -1);
  else if (["Enter", "Tab", "Escape"].includes(event.key)) {
    opening = null;
    if (event.key === "Escape") now.typed = "";
    else goOn(cell, event.key === "Enter" ? "down" : event.shiftKey ? "before" : "next");
    now.left = mark();
  }
  return true;
}

/** Open the field of a cell; `typed` replaces what is in it. */
export async function edit(cell: HTMLTableCellElement, typed = ""): Promise<void> {
  const form = formIn(cell);
  if (form && !isBusy(form)) return form.querySelector<HTMLElement>(FIELD)?.focus({ preventScroll: true });
  if (!canEdit(cell) || opening?.at === placeOf(cell)) return;
  const mine: Opening = { at: placeOf(cell), typed, replaces: typed !== "", left: null };
  opening = mine;
  const record = recordOf(cell);
  const address = addressOf(record, `cells/${cell.dataset["field"]}`);
  let [answer, now] = [await get(address), cellAt(rowOf(record), columnOf(cell))]; // It may have been drawn anew meanwhile.
  while (now && isBusy(formIn(now))) {
    await inTurn(async () => {}); // What was typed there before is still being stored, and is what this one has to show.
    [answer, now] = [await get(address), cellAt(rowOf(record), columnOf(cell))];
  }
  if (opening === mine) opening = null;
  if (answer.status !== 200 || !now) return complain(lost(answer, mine.typed));
  const isHere = !mine.left && isStillAt(now);
  if (formIn(now) || (!isHere && !mine.typed)) return;
  before.set(now, [...now.childNodes]);
  showForm(now, answer.text, mine.typed, mine.replaces);
  if (!isHere) await save(now, "stay", mine.left); // Whoever went on meant what they typed.
}

/** What is said where a field did not come, and what was typed for it has no place. */
function lost(answer: Answer, typed: string): Answer {
  const reason = answer.status === 0 ? "The server does not answer." : answer.notice;
  return { ...answer, notice: typed ? `“${typed}” was not stored. ${reason}` : reason };
}

function showForm(cell: HTMLTableCellElement, html: string, typed = "", replaces = true): void {
  const isHere = isStillAt(cell);
  cell.classList.add("editing");
  const box = cell.closest(".scroll")?.getBoundingClientRect();
  cell.classList.toggle("is-last", box !== undefined && cell.getBoundingClientRect().left > box.left + box.width * 0.6);
  cell.replaceChildren(parsed(html));
  const form = formIn(cell) as HTMLFormElement;
  dress();
  const field = form.querySelector<HTMLInputElement>(FIELD);
  if (field && typed && "select" in field) {
    const isText = ["number", "text", "email", "url", "textarea"].includes(field.type);
    const isAdded = field.type === "textarea" && !replaces;
    field.value = isAdded ? field.value + typed : isText ? typed : field.value;
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

/** Save what was typed, and go on at once; what is wrong with it is said in the cell, which may be left already. */
export async function save(cell: HTMLTableCellElement, after: After, early: Left | null = null): Promise<void> {
  const form = formIn(cell);
  if (!form || isBusy(form)) return;
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
  const values = new FormData(form);
  if (after !== "stay") {
    go(cell);
    goOn(cell, after);
  }
  form.inert = true; // After the focus has gone on: what is typed from now on is for where it is then.
  const left = after === "stay" ? early : mark();
  const answer = await inTurn(() => post(addressOf(recordOf(cell)), values));
  form.removeAttribute("aria-busy");
  form.inert = false;
  if (answer.status === 200) {
    noted(answer.operation);
    cell.classList.remove("editing"); // Others of the row are still typed into, this one is not.
    takeRow(answer.text);
    return;
  }
  // It was thought to be done: who did nothing since goes on where it is mended.
  if (left && left.deeds === deeds && isStillAt(left.to)) go(cell);
  if ([422, 409].includes(answer.status) && answer.text.includes("cell-editor")) {
    showForm(cell, answer.text);
    const next = formIn(cell);
    if (next) {
      next.dataset["began"] = ""; // What is in it is not stored.
      if (answer.status === 409) next.dataset["stale"] = "";
    }
  } else {
    say(form, answer.notice);
    if (isStillAt(cell)) form.querySelector<HTMLElement>(FIELD)?.focus({ preventScroll: true });
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
