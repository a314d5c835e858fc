// Records that are chosen, and what is done to all of them at once.

import { byId, parsed } from "./page";
import { complain, list, query, refresh, root, tell } from "./records-list";
import { dress, get, inTurn, post } from "./records-server";

const chosen = new Set<string>(); // By their numbers: a row that is drawn anew stays chosen.
let last = "";

const boxes = (): HTMLInputElement[] => [...list().querySelectorAll<HTMLInputElement>("tbody input[name=chosen]")];
const bar = (): HTMLFormElement | null => byId<HTMLFormElement>("records-chosen");
const all = (): HTMLInputElement | null => bar()?.querySelector<HTMLInputElement>("[data-all]") ?? null;

/** Show what is chosen after the list was drawn anew. */
export function showChosen(): void {
  const here = boxes();
  for (const box of here) {
    box.checked = chosen.has(box.value);
    box.closest("tr")?.classList.toggle("is-chosen", box.checked);
  }
  const isAll = all()?.checked ?? false;
  root().classList.toggle("has-chosen", chosen.size > 0 || isAll);
  const number = bar()?.querySelector("[data-number]");
  if (number) number.textContent = isAll ? "All" : String(chosen.size);
  const head = list().querySelector<HTMLInputElement>("[data-choose-all]");
  if (head) {
    const count = here.filter((box) => box.checked).length;
    head.checked = count > 0 && count === here.length;
    head.indeterminate = count > 0 && count < here.length;
  }
}

/** Choose no record any more. */
export function chooseNone(): void {
  chosen.clear();
  const box = all();
  if (box) box.checked = false;
  showChosen();
}

/** Choose a record, or stop to; with the Shift key all up to the one before too. */
export function choose(box: HTMLInputElement, isRange: boolean): void {
  const here = boxes();
  const from = here.findIndex((each) => each.value === last);
  const to = here.indexOf(box);
  const range = isRange && from >= 0 ? here.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
  for (const each of range) {
    if (box.checked) chosen.add(each.value);
    else chosen.delete(each.value);
  }
  last = box.value;
  showChosen();
}

export function chooseAll(isOn: boolean): void {
  for (const box of boxes()) {
    if (isOn) chosen.add(box.value);
    else chosen.delete(box.value);
  }
  showChosen();
}

function sent(): FormData {
  const values = new FormData();
  if (all()?.checked) {
    values.set("all", "1");
    values.set("query", query());
  } else {
    for (const number of chosen) values.append("chosen", number);
  }
  return values;
}

/** Do what a button of the bar says. */
export async function doToChosen(button: HTMLButtonElement): Promise<void> {
  if (button.dataset["change"] !== undefined) return openForm();
  const words = button.formAction.includes("/restore") ? "Restored" : "Deleted";
  const number = all()?.checked ? "all that were found" : `${chosen.size} record${chosen.size === 1 ? "" : "s"}`;
  const answer = await inTurn(() => post(button.formAction, sent()));
  if (answer.isElsewhere) return;
  if (answer.status !== 204) return complain(answer);
  chooseNone();
  tell(`${words} ${number}.`, answer.operation);
  await refresh();
}

async function openForm(): Promise<void> {
  const asked = new URLSearchParams([...sent()] as [string, string][]);
  const answer = await get(`${root().dataset["base"]}/many?${asked}`);
  if (answer.status !== 200) return complain(answer);
  showDrawer(answer.text);
}

function showDrawer(html: string): void {
  byId("drawer")?.replaceChildren(parsed(html));
  const dialog = byId<HTMLDialogElement>("drawer-dialog");
  if (dialog && !dialog.open) dialog.show();
  dress();
  dialog?.querySelector<HTMLElement>("[aria-invalid=true], input[name=_field]")?.focus();
}

/** Change what is chosen as the form in the drawer says. */
export async function changeChosen(form: HTMLFormElement): Promise<void> {
  form.setAttribute("aria-busy", "true");
  const answer = await inTurn(() => post(form.action, new FormData(form)));
  form.removeAttribute("aria-busy");
  if (answer.isElsewhere) return;
  if (answer.status === 422 || answer.status === 200) showDrawer(answer.text);
  else if (answer.status !== 204) return complain(answer);
  if (answer.status === 422) return;
  if (answer.status === 204) byId<HTMLDialogElement>("drawer-dialog")?.close();
  chooseNone();
  tell("Changed.", answer.operation);
  await refresh();
}

/** What is typed for a field of many records is meant to be changed. */
export function tickField(field: Element): void {
  const box = field.closest(".many-field")?.querySelector<HTMLInputElement>("input[name=_field]");
  if (box && box !== field) box.checked = true;
}
