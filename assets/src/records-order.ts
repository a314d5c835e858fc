// The order people give to records: by dragging a row at its grip, or with Alt and an arrow key.

import { announce } from "./page";
import { addressOf, complain, nameOf, noted, refresh, rows } from "./records-list";
import { inTurn, post } from "./records-server";

/** Let a row change places with the one above or below; those on other pages count too. */
export async function moveBy(row: HTMLElement, to: "up" | "down"): Promise<void> {
  const answer = await inTurn(() => post(addressOf(row.dataset["record"] ?? "", "move"), { to }));
  if (answer.status !== 204) return complain(answer);
  noted(answer.operation);
  announce(answer.operation ? `Moved ${nameOf(row)} ${to}.` : `${nameOf(row)} is the ${to === "up" ? "first" : "last"} one.`);
  await refresh();
}

/** Follow a grip that is dragged, and let the row go where it is dropped. */
export function drag(down: PointerEvent, grip: HTMLElement): void {
  const row = grip.closest("tr") as HTMLTableRowElement;
  let target: { row: HTMLTableRowElement; after: boolean } | null = null;
  const clear = (): void => target?.row.classList.remove("drop-before", "drop-after");
  const move = (event: PointerEvent): void => {
    clear();
    const all = rows();
    const over = all.find((each) => event.clientY < each.getBoundingClientRect().bottom) ?? all.at(-1);
    if (!over) return;
    const box = over.getBoundingClientRect();
    target = { row: over, after: event.clientY > box.top + box.height / 2 };
    if (over !== row) over.classList.add(target.after ? "drop-after" : "drop-before");
  };
  const end = (): void => {
    clear();
    row.classList.remove("dragged");
    grip.removeEventListener("pointermove", move);
    document.removeEventListener("keydown", stop, true);
  };
  const stop = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    target = null;
    end();
  };
  down.preventDefault();
  grip.setPointerCapture(down.pointerId);
  row.classList.add("dragged");
  grip.addEventListener("pointermove", move);
  document.addEventListener("keydown", stop, true);
  grip.addEventListener("pointercancel", () => {
    target = null;
  });
  grip.addEventListener(
    "lostpointercapture",
    () => {
      const dropped = target;
      end();
      if (dropped && dropped.row !== row) void drop(row, dropped.row, dropped.after);
    },
    { once: true },
  );
}

async function drop(row: HTMLTableRowElement, beside: HTMLTableRowElement, after: boolean): Promise<void> {
  if (after) beside.after(row);
  else beside.before(row);
  const values = { beside: beside.dataset["record"] ?? "", after: after ? "1" : "0" };
  const answer = await inTurn(() => post(addressOf(row.dataset["record"] ?? "", "move"), values));
  if (answer.status !== 204) complain(answer);
  else noted(answer.operation);
  announce(`Moved ${nameOf(row)}.`);
  await refresh();
}
