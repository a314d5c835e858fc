// Moving among the cells of a table of records, as in a spreadsheet: one of them has the focus.

import { list, root, rowOf, rows } from "./records-list";

let record = ""; // Where the keyboard is, by what it is and not by where: rows move.
let column = "";

export function cellsOf(row: Element): HTMLTableCellElement[] {
  return [...row.querySelectorAll<HTMLTableCellElement>("td[data-field], td.computed")];
}

export function columnOf(cell: HTMLTableCellElement): string {
  return cell.dataset["field"] ?? `#${cell.cellIndex}`;
}

export function cellAt(row: Element | null | undefined, name: string): HTMLTableCellElement | undefined {
  return row ? (cellsOf(row).find((cell) => columnOf(cell) === name) ?? cellsOf(row)[0]) : undefined;
}

/** The cell that has the focus, or that Tab leads to. */
export function current(): HTMLTableCellElement | undefined {
  return cellAt(rowOf(record), column);
}

/** Let Tab lead to one cell, and to no other. */
export function settle(): void {
  const now = current() ?? cellAt(rows()[0], column);
  for (const cell of list().querySelectorAll("td[tabindex]")) if (cell !== now) cell.removeAttribute("tabindex");
  if (now) now.tabIndex = 0;
}

/** Give a cell the focus. */
export function go(cell: HTMLTableCellElement | undefined): boolean {
  const row = cell?.closest<HTMLElement>("tr");
  if (!cell || !row?.dataset["record"]) return false;
  record = row.dataset["record"];
  column = columnOf(cell);
  settle();
  cell.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  return true;
}

/** Take down that a cell was given the focus. */
export function noticed(cell: HTMLTableCellElement): void {
  record = cell.closest<HTMLElement>("tr")?.dataset["record"] ?? "";
  column = columnOf(cell);
  settle();
}

/** Give the focus back to the cell that had it, where it was drawn anew. */
export function comeBack(): void {
  settle();
  if (document.activeElement === document.body && record) go(current());
}

/** Whether the keyboard is still there, or nowhere: an answer that comes late calls nobody back who went on. */
export function isStillAt(place: Element | null | undefined): boolean {
  return document.activeElement === document.body || place?.contains(document.activeElement) === true;
}

/** Go some rows down or up, or some cells to the right or left. */
export function walk(cell: HTMLTableCellElement, down: number, right: number): boolean {
  const row = cell.closest("tr") as HTMLTableRowElement;
  const cells = cellsOf(row);
  if (right) {
    const next = cells[Math.max(0, Math.min(cells.length - 1, cells.indexOf(cell) + right))];
    return next !== cell && go(next);
  }
  const all = rows().filter((each) => !each.hidden);
  const at = all.indexOf(row);
  const next = all[Math.max(0, Math.min(all.length - 1, at + down))];
  if (next === row || !next) return down > 0 && toAddRow();
  return go(cellAt(next, columnOf(cell)));
}

/** Go to the row that a new record is typed into. */
export function toAddRow(): boolean {
  const fields = ":is(input, select, textarea):not([type=hidden], .visually-hidden)";
  const find = (row: string) => root().querySelector<HTMLElement>(`${row} ${fields}`);
  const field = find("#add-row .label") ?? find("#add-row"); // A new record begins with what it is called.
  field?.focus();
  if (field instanceof HTMLInputElement && field.type !== "checkbox") field.select();
  return field !== null;
}
