// The list of records: asked for anew without moving what did not change, whatever is being typed into it.

import { announce, byId, notify, parsed } from "./page";
import { type Answer, dress, get, inTurn, post } from "./records-server";

const source = new WeakMap<Element, string>(); // A row as the server drew it.
let newest = 0; // Which way to go was asked for last,
let freshest = 0; // and which look at what is shown: neither gives way to the other.

export const root = (): HTMLElement => byId("records") as HTMLElement;
export const list = (): HTMLElement => byId("records-list") as HTMLElement;
export const rows = (): HTMLTableRowElement[] => [...list().querySelectorAll<HTMLTableRowElement>("tbody > tr")];
export const rowOf = (record: string): HTMLTableRowElement | null => byId<HTMLTableRowElement>(`record-${record}`);

/** What the list asks for, as the address has it: `?find=milk`. */
export const query = (): string => list().dataset["query"] ?? "";

/** The address of something that is done to a record, with what its list asks for. */
export function addressOf(record: string, what = "", more = ""): string {
  const asked = [query().replace("?", ""), more].filter(Boolean).join("&");
  return `${root().dataset["base"]}/${record}${what && `/${what}`}${asked && `?${asked}`}`;
}

/** What people call the record of a row. */
export function nameOf(row: HTMLElement): string {
  const text = row.querySelector("td.label")?.textContent?.trim() ?? "";
  return text ? `“${text.length > 60 ? `${text.slice(0, 60)} …` : text}”` : "this record";
}

export function remember(scope: ParentNode): void {
  for (const row of scope.querySelectorAll("tbody > tr[data-record]")) source.set(row, row.outerHTML);
}

/** Ask for the list anew, once everything that is being done is done. */
export function refresh(): Promise<void> {
  const mine = ++freshest;
  return inTurn(async () => {
    if (mine !== freshest) return; // Somebody asked again meanwhile, and gets the answer to both.
    await show((root().dataset["address"] ?? "") + query());
  });
}

/** Go to another part of the list, or another order; the address follows. */
export function goTo(address: string, replaces = false): Promise<void> {
  const mine = ++newest;
  for (const row of list().querySelectorAll(".fresh")) row.classList.remove("fresh");
  return inTurn(async () => {
    if (mine !== newest) return;
    if (!(await show(address))) return;
    const shown = (root().dataset["address"] ?? "") + query();
    if (replaces) history.replaceState(null, "", shown);
    else if (shown !== location.pathname + location.search) history.pushState(null, "", shown);
    synchronise();
  });
}

async function show(address: string): Promise<boolean> {
  const answer = await get(address);
  if (answer.status !== 200) {
    complain(answer);
    return false;
  }
  const next = parsed(answer.text).querySelector<HTMLElement>("#records-list");
  if (next) take(next);
  return next !== null;
}

/** Show the list as it is now. Rows that stayed as they were are left alone, and so is the one somebody types into. */
function take(next: HTMLElement): void {
  const now = list();
  const focused = document.activeElement?.id ?? "";
  const [grid, nextGrid] = [now.querySelector(".scroll") as HTMLElement, next.querySelector(".scroll") as HTMLElement];
  for (const name of ["version", "query", "byHand"]) {
    const value = next.dataset[name];
    if (value === undefined) delete now.dataset[name];
    else now.dataset[name] = value;
  }
  replaceAround(now, grid, next, nextGrid);
  takeRows(grid.querySelector("tbody") as HTMLElement, nextGrid.querySelector("tbody") as HTMLElement);
  grid.querySelector("thead")?.replaceWith(nextGrid.querySelector("thead") as Element);
  const foot = [grid.querySelector("tfoot"), nextGrid.querySelector("tfoot")];
  if (!foot[0] && foot[1]) grid.querySelector("table")?.append(foot[1]);
  if (foot[0] && !foot[1]) foot[0].remove();
  grid.querySelector(".nothing")?.remove();
  const nothing = nextGrid.querySelector(".nothing");
  if (nothing) grid.append(nothing);
  if (focused && document.activeElement === document.body) byId(focused)?.focus({ preventScroll: true });
  for (const link of root().querySelectorAll<HTMLAnchorElement>("a[data-export]")) {
    link.href = `${root().dataset["base"]}/export.${link.dataset["export"]}${query().replace(/[?&]page=\d+/, "")}`;
  }
  dress();
  document.dispatchEvent(new Event("pipulate:listed"));
}

/** Replace what stands above and below the rows. */
function replaceAround(now: HTMLElement, grid: HTMLElement, next: HTMLElement, nextGrid: HTMLElement): void {
  for (const child of [...now.children]) if (child !== grid) child.remove();
  let isBefore = true;
  for (const child of [...next.children]) {
    if (child === nextGrid) isBefore = false;
    else if (isBefore) grid.before(child);
    else now.append(child);
  }
}

function takeRows(body: HTMLElement, nextBody: HTMLElement): void {
  const wanted = [...nextBody.children] as HTMLElement[];
  const kept = new Set<Element>();
  let place: Element | null = body.firstElementChild;
  for (const row of wanted) {
    const text = row.outerHTML;
    const old = byId(row.id);
    const isTyped = old?.querySelector(".editing") !== null && old !== null;
    let shown: Element = row;
    if (old && (isTyped || source.get(old) === text)) {
      shown = old;
      if (source.get(old) !== text) old.dataset["stale"] = ""; // Shown as it is now once nobody types there any more.
    } else {
      source.set(row, text);
      if (old) {
        if (place === old) place = row;
        old.replaceWith(row);
      }
    }
    kept.add(shown);
    if (shown === place) place = place.nextElementSibling;
    else body.insertBefore(shown, place);
  }
  for (const row of [...body.children]) {
    if (kept.has(row)) continue;
    if (row.querySelector(".editing")) keepTyped(row as HTMLElement);
    else if (row.classList.contains("fresh")) body.append(row); // It was just added here, and may be on another page.
    else row.remove();
  }
}

/** Leave the row that somebody types into, though it is none of this list any more. */
function keepTyped(row: HTMLElement): void {
  if (row.classList.contains("gone")) return;
  row.classList.add("gone");
  notify({ name: "records", words: "The record you are typing into is no longer in this list. What you typed is still there." });
}

/** Put the row of a record into the place of the one that is shown; cells that somebody types into stay. */
export function takeRow(html: string): HTMLTableRowElement | null {
  const row = parsed(html).querySelector<HTMLTableRowElement>("tr");
  if (!row) return null;
  const text = row.outerHTML;
  const old = byId<HTMLTableRowElement>(row.id);
  if (old?.classList.contains("fresh")) row.classList.add("fresh");
  const isTyped = old?.querySelector(".editing");
  if (old && isTyped) takeAround(old, row);
  else if (old) old.replaceWith(row);
  else list().querySelector("tbody")?.append(row);
  const shown = old && isTyped ? old : row;
  source.set(shown, text);
  document.dispatchEvent(new Event("pipulate:listed"));
  return shown;
}

/** Take what is new of a row into the one that is shown, around what somebody types. */
function takeAround(old: HTMLTableRowElement, row: HTMLTableRowElement): void {
  const cells = [...row.cells];
  if (cells.length === old.cells.length) {
    for (const { name, value } of row.attributes) old.setAttribute(name, value);
    for (const cell of [...old.cells]) {
      const next = cells.shift() as HTMLTableCellElement;
      if (!cell.classList.contains("editing")) cell.replaceWith(next);
    }
  }
  old.dataset["stale"] = ""; // What stands behind the field is older; it is asked for when the field is left.
}

/** Let the fields of search and filters say what the address says. */
export function synchronise(): void {
  const asked = new URLSearchParams(location.search);
  const form = byId<HTMLFormElement>("records-form");
  for (const field of (form?.elements ?? []) as Iterable<HTMLInputElement | HTMLSelectElement>) {
    if (!field.name || field === document.activeElement || field.type === "hidden") continue;
    const texts = asked.getAll(field.name);
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = texts.includes(field.value);
    else field.value = texts.at(-1) ?? "";
    field.dispatchEvent(new Event("pipulate:filled"));
  }
}

/** The address of the list that search and filters ask for. */
export function asked(): string {
  const here = new URLSearchParams(location.search);
  const wanted = new URLSearchParams();
  const form = byId<HTMLFormElement>("records-form") as HTMLFormElement;
  for (const [name, text] of new FormData(form)) {
    if (name !== "sort" && name !== "bin" && String(text).trim()) wanted.append(name, String(text));
  }
  for (const name of ["sort", "bin"]) {
    const text = here.get(name);
    if (text !== null) wanted.set(name, text);
  }
  return `${root().dataset["address"]}?${wanted}`;
}

// What was done, and taking it back

const done: string[] = [];
const undone: string[] = [];

/** Say what was done, with a way back. */
export function tell(words: string, operation: string): void {
  if (operation) {
    done.push(operation);
    undone.length = 0;
  }
  const action = operation ? { words: "Undo", run: () => void takeBack(operation) } : undefined;
  notify({ name: "records", words, ...(action && { action }) });
  announce(words);
}

/** Take down that something was done that needs no words. */
export function noted(operation: string): void {
  if (!operation) return;
  done.push(operation);
  undone.length = 0;
}

export function complain(answer: Answer): void {
  notify({ name: "records", words: answer.notice || "This could not be done." });
  announce(answer.notice);
}

async function takeBack(operation: string): Promise<void> {
  const answer = await inTurn(() => post(`${root().dataset["base"]}/undo`, { operation }));
  const place = done.lastIndexOf(operation);
  if (place >= 0) done.splice(place, 1);
  if (answer.isElsewhere) return;
  if (answer.status >= 300 || answer.status === 0) return complain(answer);
  if (answer.operation) undone.push(answer.operation);
  notify({ name: "records", words: "Taken back." });
  announce("Taken back.");
  await refresh();
}

/** Take back what was done last in this tab. */
export async function undoLast(): Promise<void> {
  const last = done.at(-1);
  if (last) await takeBack(last);
  else announce("There is nothing to take back.");
}

/** Do again what was taken back last. */
export async function redoLast(): Promise<void> {
  const last = undone.pop();
  if (!last) return announce("There is nothing to do again.");
  const answer = await inTurn(() => post(`${root().dataset["base"]}/undo`, { operation: last }));
  if (answer.isElsewhere) return;
  if (answer.status >= 300 || answer.status === 0) return complain(answer);
  if (answer.operation) done.push(answer.operation);
  await refresh();
}
