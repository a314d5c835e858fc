// Tables of records, worked in as in a spreadsheet. Without this script they are links and forms.

import { announce, byId, dismiss, notify, parsed } from "./page";
import { cellsOf, comeBack, current, go, isStillAt, noticed, settle, toAddRow, walk } from "./records-cells";
import { changeChosen, choose, chooseAll, chooseNone, doToChosen, showChosen, tickField } from "./records-chosen";
import { edit, formIn, isForFiles, leave, noticeDeed, pressed, pressedEarly, save } from "./records-edit";
import {
  addressOf, asked, complain, goTo, list, nameOf, noted, query, redoLast, refresh, remember, root, rows, synchronise,
  takeRow, tell, undoLast,
} from "./records-list";
import { drag, moveBy } from "./records-order";
import { type Answer, dress, inTurn, post, tab } from "./records-server";

const WAIT_MS = 150;
let typing = 0;

const cellOf = (target: EventTarget | null): HTMLTableCellElement | null =>
  (target as Element | null)?.closest?.<HTMLTableCellElement>("#records-rows td:is([data-field], .computed)") ?? null;

async function toggle(button: HTMLButtonElement): Promise<void> {
  const address = new URL(button.formAction);
  const asks = query().replace("?", "&");
  const answer = await inTurn(() => post(address.pathname + address.search + asks));
  if (answer.status !== 200) return complain(answer);
  noted(answer.operation);
  const row = takeRow(answer.text);
  if (row) announce(`${nameOf(row)}: ${button.getAttribute("aria-checked") === "true" ? "no" : "yes"}`);
}

/** Put a record into the bin: it goes at once, and comes back where that was refused. */
async function remove(row: HTMLTableRowElement): Promise<void> {
  const cell = current();
  const all = rows().filter((each) => !each.hidden);
  const place = all.indexOf(row);
  const next = all[place + 1] ?? all[place - 1];
  row.hidden = true;
  const column = cell ? cellsOf(row).indexOf(cell) : 0;
  if (next) go(cellsOf(next)[Math.max(0, column)]);
  const name = nameOf(row);
  const answer = await inTurn(() => post(addressOf(row.dataset["record"] ?? "", "delete")));
  if (answer.status !== 204) {
    row.hidden = false;
    if (isStillAt(next)) go(cell);
    return complain(answer);
  }
  row.remove();
  tell(`Deleted ${name}.`, answer.operation);
  await refresh();
}

async function act(button: HTMLButtonElement): Promise<void> {
  const question = button.dataset["ask"];
  if (question && !confirm(question)) return;
  const answer = await inTurn(() => post(button.formAction));
  if (answer.isElsewhere) return;
  if (answer.status !== 204) return complain(answer);
  const words = button.formAction.includes("/restore") ? "Restored." : "Erased.";
  tell(words, answer.operation);
  await refresh();
}

let blank: Record<string, string[]> = {}; // What the row for a new record starts with.

/** What the fields of a form start with, whatever was typed into them before this script came. */
function startOf(form: HTMLFormElement): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const field of form.elements as Iterable<HTMLInputElement>) {
    if (field instanceof HTMLSelectElement) {
      values[field.name] = [...field.options].filter((option) => option.defaultSelected).map((option) => option.value);
      if (!values[field.name]?.length) values[field.name] = [field.options[0]?.value ?? ""];
    } else if (!["checkbox", "radio"].includes(field.type)) values[field.name] = [field.defaultValue ?? ""];
    else if (field.defaultChecked) (values[field.name] ??= []).push(field.value);
  }
  return values;
}

const textOf = (values: FormData): string => new URLSearchParams([...values] as [string, string][]).toString();

/** Put values into the row for a new record, and take away what was said about the last one. */
function fill(form: HTMLFormElement, values: Record<string, string[]>): void {
  for (const field of form.elements as Iterable<HTMLInputElement>) {
    if (!field.name || field.type === "hidden") continue;
    const texts = values[field.name] ?? [];
    if (["checkbox", "radio"].includes(field.type)) field.checked = texts.includes(field.value);
    else field.value = texts.at(-1) ?? "";
    field.removeAttribute("aria-invalid");
    field.dispatchEvent(new Event("pipulate:filled"));
  }
  for (const words of list().querySelectorAll("#records-foot :is(.problem, .problem-row)")) words.remove();
}

/** Take the files out of the row for a new record; what is returned puts them back. */
function takeFiles(): () => void {
  const lists = [...list().querySelectorAll<HTMLElement>("#add-row .uploads")];
  const held = lists.map((each): [string, Node[]] => {
    const field = each.closest<HTMLElement>(".upload");
    return [field?.dataset["upload"] ?? "", [...each.children]];
  });
  for (const each of lists) each.replaceChildren();
  return () => {
    for (const [address, lines] of held) {
      const field = list().querySelector(`#add-row .upload[data-upload="${CSS.escape(address)}"] .uploads`);
      field?.replaceChildren(...lines);
    }
  };
}

function valuesOf(form: HTMLFormElement): Record<string, string[]> {
  const values: Record<string, string[]> = {};
  for (const [name, text] of new FormData(form)) (values[name] ??= []).push(String(text));
  return values;
}

/** Add what was typed. The row is empty again at once, so that the next record can be typed while this one is sent. */
async function add(form: HTMLFormElement): Promise<void> {
  const [sent, values] = [new FormData(form), valuesOf(form)];
  fill(form, blank);
  const giveBack = takeFiles();
  const empty = textOf(new FormData(form));
  toAddRow();
  const answer = await inTurn(() => post(form.getAttribute("action") + query(), sent));
  const isNext = textOf(new FormData(form)) !== empty;
  if (answer.status === 200) {
    noted(answer.operation);
    const row = takeRow(answer.text);
    row?.classList.add("fresh");
    if (!isNext) sessionStorage.removeItem(`draft:${form.dataset["draft"]}`);
    if (row) announce(`Added ${nameOf(row)}.`);
    await refresh();
    row?.scrollIntoView({ block: "nearest" });
  } else if (isNext) {
    const words = `${Object.values(values).flat()[0] ?? "A record"}: this was not added. ${answer.notice}`;
    notify({ name: "records", words, action: { words: "Put it back", run: () => putBack(form, values, answer, giveBack) } });
  } else {
    putBack(form, values, answer, giveBack);
  }
}

/** Let a record that was not added be mended: with what is wrong at its fields, where the server said so. */
function putBack(form: HTMLFormElement, values: Record<string, string[]>, answer: Answer, giveBack: () => void): void {
  dismiss("records");
  const isHere = isStillAt(byId("add-row"));
  const foot = byId("records-foot") as HTMLElement;
  if (answer.status === 422 && answer.text.includes("add-row")) {
    foot.replaceChildren(parsed(answer.text));
    dress();
  } else {
    fill(form, values);
    giveBack();
    complain(answer);
  }
  const wrong = foot.querySelector<HTMLElement>("[aria-invalid=true]");
  if (!isHere) return;
  if (wrong) wrong.focus();
  else toAddRow();
}

const STEPS: Record<string, [number, number]> = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -1_000], End: [0, 1_000],
};

function onCellKey(event: KeyboardEvent, cell: HTMLTableCellElement): void {
  const row = cell.closest("tr") as HTMLTableRowElement;
  const command = event.ctrlKey || event.metaKey;
  const tick = cell.querySelector<HTMLButtonElement>("button.tick");
  const isByHand = list().dataset["byHand"] !== undefined;
  if (pressedEarly(event, cell)) return event.preventDefault();
  let isDone = true;
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    if (isByHand) void moveBy(row, event.key === "ArrowUp" ? "up" : "down");
    else announce("The list is sorted. Show it in its own order to move records.");
  } else if (command && event.key === "Enter") toAddRow();
  else if (command && event.key === "Home") go(cellsOf(rows()[0] as Element)[0]);
  else if (command && event.key === "End") go(cellsOf(rows().at(-1) as Element)[0]);
  else if (STEPS[event.key] && !command && !event.altKey) walk(cell, ...(STEPS[event.key] as [number, number]));
  else if (event.key === "Enter" || event.key === "F2") {
    if (tick) void toggle(tick);
    else void edit(cell);
  } else if (event.key === " " && event.shiftKey) row.querySelector<HTMLInputElement>("input[name=chosen]")?.click();
  else if (event.key === " ") {
    const ticks = tick ?? row.querySelector<HTMLButtonElement>(`td[data-field="${root().dataset["toggle"]}"] button.tick`);
    if (ticks) void toggle(ticks);
    else row.querySelector<HTMLInputElement>("input[name=chosen]")?.click();
  } else if (event.key === "Delete" && !root().dataset["bin"]) void remove(row);
  else if (event.key.length === 1 && !command && !event.altKey && !event.isComposing) {
    void edit(cell, event.key);
  } else isDone = false;
  if (isDone) event.preventDefault();
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (target !== document.body && !target.closest("#records, #notices")) return;
  const editing = target.closest<HTMLTableCellElement>("td.editing");
  if (editing && target !== editing) return pressed(event, editing);
  const command = event.ctrlKey || event.metaKey;
  const isTyped = target.matches("input:not([type=checkbox]), textarea, select");
  if (command && event.key.toLowerCase() === "z" && !isTyped) {
    event.preventDefault();
    void (event.shiftKey ? redoLast() : undoLast());
    return;
  }
  if (target.closest("#add-row")) return onAddKey(event);
  const cell = cellOf(target);
  if (cell && (target === cell || target.matches("button.tick, a"))) {
    if (target !== cell && event.key === "Enter" && target.matches("a")) return; // It is followed.
    onCellKey(event, cell);
  } else if (command && event.key === "Enter" && !target.closest("form")) {
    event.preventDefault();
    toAddRow();
  }
}

function onAddKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.defaultPrevented) return;
  const isPlain = !(target instanceof HTMLTextAreaElement);
  if (event.key === "Enter" && !(target instanceof HTMLButtonElement) && !isForFiles(target) && (isPlain || event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    byId<HTMLFormElement>("records-add")?.requestSubmit();
  } else if (event.key === "Escape") {
    const last = rows().at(-1);
    if (last) go(cellsOf(last)[0]);
  } else if (event.key === "ArrowUp" && target.matches("input[type=text]")) {
    event.preventDefault();
    const last = rows().at(-1);
    if (last) go(cellsOf(last)[0]);
  }
}

function onClick(event: MouseEvent): void {
  const target = event.target as HTMLElement;
  const link = target.closest<HTMLAnchorElement>("a[data-list]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    void goTo(link.pathname + link.search);
    return;
  }
  const box = target.closest<HTMLInputElement>("input[name=chosen]");
  if (box) return choose(box, event.shiftKey);
  if (target.matches("[data-choose-all]")) return chooseAll((target as HTMLInputElement).checked);
  if (target.matches("[data-all]")) return showChosen();
  const button = target.closest<HTMLButtonElement>("button");
  if (button?.dataset["leave"] !== undefined) return leave(button.closest("td") as HTMLTableCellElement);
  if (button?.matches(".tick")) {
    event.preventDefault();
    void toggle(button);
    return;
  }
  if (button?.getAttribute("form") === "records-act") {
    event.preventDefault();
    void act(button);
    return;
  }
  const cell = cellOf(target);
  if (cell && !target.closest("a, button, form")) {
    go(cell);
    void edit(cell);
  }
}

function onSubmit(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const cell = form.closest<HTMLTableCellElement>("td.editing");
  const submitter = event.submitter as HTMLButtonElement | null;
  if (form.id === "records-add") void add(form);
  else if (form.id === "records-form") void goTo(asked());
  else if (form.id === "records-chosen" && submitter) void doToChosen(submitter);
  else if (form.matches(".many-form")) void changeChosen(form);
  else if (cell) void save(cell, "down");
  else return;
  event.preventDefault();
}

/** Whoever clicks elsewhere means what they typed. */
function onFocusOut(event: FocusEvent): void {
  const cell = (event.target as Element).closest<HTMLTableCellElement>("td.editing");
  if (!cell || !document.hasFocus()) return;
  setTimeout(() => {
    const form = formIn(cell);
    if (!form || !cell.isConnected || cell.contains(document.activeElement) || form.dataset["stale"] !== undefined) return;
    void save(cell, "stay");
  });
}

function onTyped(event: Event): void {
  const field = event.target as HTMLInputElement;
  if (field.closest(".many-form")) tickField(field);
  if (field.form?.id !== "records-form") return;
  clearTimeout(typing);
  const isFind = field.name === "find";
  typing = window.setTimeout(() => void goTo(asked(), isFind), isFind || field.type === "search" ? WAIT_MS : 0);
}

function onNews(event: Event): void {
  const { resource, version, tab: by } = (event as CustomEvent<{ resource: string; version: number; tab: string | null }>).detail;
  if (resource !== root().dataset["resource"] || version <= Number(list().dataset["version"])) return;
  if (by === tab()) list().dataset["version"] = String(version);
  else void refresh();
}

(window.pipulateNeeds ??= {})["records"] = (page) => {
  remember(list());
  const form = byId<HTMLFormElement>("records-add");
  if (form) blank = startOf(form);
  settle();
  showChosen();
  page.classList.add("is-live");
  page.addEventListener("click", onClick);
  page.addEventListener("focusin", (event) => {
    const cell = cellOf(event.target);
    if (cell && !cell.classList.contains("editing")) noticed(cell);
  });
  page.addEventListener("focusout", onFocusOut);
  page.addEventListener("input", onTyped);
  page.addEventListener("reset", (event) => {
    if ((event.target as HTMLElement).id === "records-chosen") setTimeout(chooseNone);
  });
  page.addEventListener("pointerdown", (event) => {
    const grip = (event.target as Element).closest<HTMLElement>(".grip");
    if (grip) drag(event, grip);
  });
  for (const type of ["keydown", "pointerdown"]) document.addEventListener(type, noticeDeed, true);
  document.addEventListener("keydown", onKey);
  document.addEventListener("submit", onSubmit);
  const filter = byId<HTMLDetailsElement>("records-filter");
  document.addEventListener("click", (event) => {
    if (filter?.open && !filter.contains(event.target as Node)) filter.open = false;
  });
  filter?.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    filter.open = false;
    filter.querySelector("summary")?.focus();
  });
  byId("drawer-dialog")?.addEventListener("input", onTyped);
  document.addEventListener("pipulate:listed", () => {
    comeBack();
    showChosen();
  });
  document.addEventListener("pipulate:records", onNews);
  window.addEventListener("popstate", () => {
    void goTo(location.pathname + location.search, true).then(synchronise);
  });
};
