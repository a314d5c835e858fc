// Lists that people put in order: the grip before a row is dragged, or moved with the arrow keys, and the order stored.

import { on, type AnswerDetail } from "./explicit-htmx";
import { announce, byId } from "./page";

const OWN = /^(\/[^/]+)\/(?:delete|toggle)\//;

function rowsOf(list: Element): HTMLElement[] {
  return [...list.children].filter((each): each is HTMLElement => (each as HTMLElement).dataset["id"] !== undefined);
}

function nameOf(row: HTMLElement): string {
  const words = [...row.querySelectorAll("span, a")].map((each) => each.textContent?.trim() ?? "");
  return (words.find((each) => /\p{L}|\d/u.test(each)) ?? "").slice(0, 80) || "this";
}

/** Where the order of a list is stored: what its rows say, else what their own addresses begin with, else the page. */
function addressOf(row: HTMLElement): string {
  const asks = [...row.querySelectorAll("[hx-delete], [hx-post]")];
  const own = asks.map((each) => OWN.exec(each.getAttribute("hx-delete") ?? each.getAttribute("hx-post") ?? "")?.[1]);
  const page = `/${location.pathname.split("/").filter(Boolean).at(-1) ?? ""}`;
  return `${row.dataset["endpointPrefix"] ?? own.find(Boolean) ?? page}_sort`;
}

/** Store the order a list has now; where that is refused, the rows go back to where they were. */
function store(list: HTMLElement, before: HTMLElement[]): void {
  const rows = rowsOf(list);
  const [first] = rows;
  if (!first || rows.every((row, place) => row === before[place])) return;
  rows.forEach((row, place) => (row.dataset["priority"] = String(place)));
  const answered = (event: Event): void => {
    const { elt, successful } = (event as CustomEvent<AnswerDetail & { successful: boolean }>).detail;
    if (elt !== list) return;
    list.removeEventListener("htmx:afterRequest", answered);
    if (!successful) for (const row of before) list.append(row);
  };
  list.addEventListener("htmx:afterRequest", answered);
  const items = JSON.stringify(rows.map((row, priority) => ({ id: row.dataset["id"], priority })));
  void window.htmx.ajax("post", addressOf(first), { source: list, swap: "none", values: { items } });
}

function step(grip: HTMLElement, way: "up" | "down"): void {
  const row = grip.parentElement as HTMLElement;
  const list = row.parentElement as HTMLElement;
  const before = rowsOf(list);
  const other = before[before.indexOf(row) + (way === "up" ? -1 : 1)];
  if (!other) return announce(`${nameOf(row)} is the ${way === "up" ? "first" : "last"} one.`);
  if (way === "up") other.before(row);
  else other.after(row);
  grip.focus();
  announce(`Moved ${nameOf(row)} ${way}.`);
  store(list, before);
}

function drag(down: PointerEvent, grip: HTMLElement): void {
  const row = grip.parentElement as HTMLElement;
  const list = row.parentElement as HTMLElement;
  const before = rowsOf(list);
  const move = (event: PointerEvent): void => {
    for (const other of rowsOf(list)) {
      const box = other.getBoundingClientRect();
      if (other === row || event.clientY < box.top || event.clientY > box.bottom) continue;
      if (event.clientY > box.top + box.height / 2) other.after(row);
      else other.before(row);
      return;
    }
  };
  const stop = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    for (const each of before) list.append(each);
    end();
  };
  const end = (): void => {
    document.removeEventListener("pointermove", move);
    document.removeEventListener("pointerup", end);
    document.removeEventListener("pointercancel", end);
    document.removeEventListener("keydown", stop, true);
    row.classList.remove("dragged");
    store(list, before);
  };
  down.preventDefault();
  row.classList.add("dragged");
  // On the document, because a row that is moved in the page lets go of the pointer.
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  document.addEventListener("keydown", stop, true);
}

function gripOf(row: HTMLElement): HTMLButtonElement {
  const grip = document.createElement("button");
  grip.type = "button";
  grip.className = "grip quiet";
  grip.textContent = "⠿";
  grip.setAttribute("aria-label", `Move ${nameOf(row)}: arrow up, arrow down`);
  grip.addEventListener("pointerdown", (event) => drag(event, grip));
  grip.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    step(grip, event.key === "ArrowUp" ? "up" : "down");
  });
  return grip;
}

function prepare(): void {
  for (const list of byId("explicit")?.querySelectorAll(".sortable") ?? []) {
    for (const row of rowsOf(list)) if (!row.querySelector(":scope > .grip")) row.prepend(gripOf(row));
  }
}

export function startSort(): void {
  prepare();
  on("htmx:load", prepare); // Once for each element that is new, wherever it was put.
}
