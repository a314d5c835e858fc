// What a page does when its run was changed elsewhere: it shows the change, unless somebody has typed into it.

import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { isDirty, restore } from "./drafts";
import { dressAll, filled, keeping } from "./needs";
import { byId, currentRun, dismiss, notify, parsed } from "./page";
import { askedUntilNow, asksByItself, isWaiting } from "./requests";
import { tab } from "./tab";

let redrawn = 0; // What this page had asked for when it last asked for the cells of a class-style run again.

/** The element that names the run and version of the page: our own run, or the work area of a class-style app. */
function shown(): HTMLElement | null {
  const run = currentRun() ?? byId("explicit");
  return run?.dataset["run"] ? run : null;
}

/** The part of the page that shows the run. */
function place(page: HTMLElement): HTMLElement {
  return byId(`${page.dataset["app"]}-container`) ?? page;
}

/** Hear that a run has another version, made by a tab, or by several where that is null. */
export function changed(run: string, version: number, by: string | null): void {
  const page = shown();
  if (page?.dataset["run"] !== run || version <= Number(page.dataset["version"])) return;
  if (by === tab()) {
    page.dataset["version"] = String(version);
  } else if (isWaiting()) {
    setTimeout(() => changed(run, version, by), 150); // An answer is on its way that may show this change already.
  } else if (place(page).classList.contains("conflict")) {
    return;
  } else if (isTyped(place(page))) {
    tell("This run was changed in another tab. What you typed is kept.");
  } else {
    void refresh();
  }
}

/** The page shows a job otherwise than it stands. */
export function stale(): void {
  if (shown()?.id !== "explicit") whenAnswered();
}

/** Follow once every answer has come. What is typed in is left alone: the next answer shows it. */
function whenAnswered(): void {
  const page = shown();
  if (!page || place(page).classList.contains("conflict")) return;
  if (isWaiting()) setTimeout(whenAnswered, 150);
  else if (!isTyped(place(page))) void refresh();
}

function tell(words: string): void {
  notify({ name: "run", words, action: { words: "Show the change", run: () => void refresh() } });
}

/** Whether there is something below an element that a person put there and the server does not have. */
function isTyped(root: HTMLElement): boolean {
  const given = root.querySelectorAll<HTMLInputElement>("input[type=password], input[type=file]");
  return (
    [...root.querySelectorAll<HTMLFormElement>("form[data-draft]")].some(isDirty) ||
    [...given].some((field) => field.value !== "") ||
    root.querySelector("iframe.code-frame") !== null
  );
}

async function refresh(): Promise<void> {
  dismiss("run");
  const page = shown();
  if (page?.id === "explicit") await redraw(page);
  else if (page) await morph();
}

/** Bring the run up to date without moving anything that did not change. */
async function morph(): Promise<void> {
  const headers = { "HX-Request": "true", "X-Pipulate-Tab": tab() };
  const before = askedUntilNow();
  const answer = await fetch(location.href, { headers }).catch(() => null); // The socket tells again when it is back.
  const run = currentRun();
  if (!answer?.ok || !run) return;
  const text = await answer.text();
  // The answer to a click made meanwhile needs its place, or has it already, and may show more than this.
  if (askedUntilNow() !== before) return whenAnswered();
  const hadFocus = run.contains(document.activeElement);
  Idiomorph.morph(run, text, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: keeping });
  const now = byId("run");
  if (!now) return;
  htmx.process(now);
  restore(document);
  filled(now);
  dressAll();
  document.dispatchEvent(new CustomEvent("pipulate:morphed"));
  // What had the focus is gone with what it was for: the keyboard goes on in the step that is open now.
  if (hadFocus && document.activeElement === document.body) {
    now.querySelector<HTMLElement>(".step.open .card button, .step.open .card input:not([type=hidden])")?.focus();
  }
}

/** The address of the cells of a class-style run. */
function cellsOf(page: HTMLElement): string {
  return `/-/runs/${page.dataset["run"]}`;
}

/** Bring the cells of a class-style app up to date as its own buttons do, so that its ids, targets and scripts hold. */
async function redraw(page: HTMLElement): Promise<void> {
  const cells = place(page);
  if (cells === page) return location.reload(); // The plugin took away what its cells stand in.
  const focused = document.activeElement as HTMLElement | null;
  const name = focused && cells.contains(focused) ? focused.getAttribute("name") : null;
  const settled = new Promise((resolve) => document.addEventListener("htmx:afterSettle", resolve, { once: true }));
  const news = htmx.ajax("get", cellsOf(page), { target: cells, swap: "outerHTML" });
  redrawn = askedUntilNow();
  await news;
  if (cells.isConnected) return; // It did not come, or not in time; the socket tells again.
  await settled;
  // What the plugin marks with `autofocus` took the focus; it belongs to whoever had it.
  const same = name && place(page).querySelector<HTMLElement>(`[name="${CSS.escape(name)}"]`);
  const heir = focused?.isConnected && focused !== document.body ? focused : same;
  if (heir && heir !== document.activeElement) heir.focus({ preventScroll: true });
}

/** What comes without a click gives way to the answer to a click that was made meanwhile, as `morph` does. */
function giveWay(event: Event): void {
  const { elt, requestConfig } = (event as CustomEvent<{ elt: HTMLElement; requestConfig?: { path: string } }>).detail;
  const page = byId("explicit");
  const isNews = page !== null && requestConfig?.path === cellsOf(page);
  const isLate = isNews ? askedUntilNow() !== redrawn : asksByItself(elt) && isWaiting();
  if (!isLate) return;
  event.preventDefault();
  event.stopPropagation(); // Nobody may take the version it names for the one that is shown.
  whenAnswered();
}

/** A cell that asks for itself anew changes where it stands, so that its buttons stay under the hand. */
function changeInPlace(event: Event): void {
  const { elt, target, xhr } = (event as CustomEvent<{ elt: HTMLElement; target: HTMLElement; xhr: XMLHttpRequest }>).detail;
  if (elt !== target || elt.dataset["polls"] === undefined || xhr.status !== 200) return;
  const answer = parsed(xhr.responseText);
  const next = answer.firstElementChild;
  const isSame = next?.id === elt.id && next.getAttribute("hx-trigger") === elt.getAttribute("hx-trigger");
  if (!isSame || answer.childElementCount !== 1) return; // It asks no more, or there is news for other places.
  (event as CustomEvent<{ shouldSwap: boolean }>).detail.shouldSwap = false;
  Idiomorph.morph(elt, next as Element, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks: keeping });
  htmx.process(elt);
}

export function startChanges(): void {
  document.addEventListener("htmx:beforeSwap", changeInPlace);
  window.addEventListener("htmx:beforeOnLoad", giveWay, true);
  document.addEventListener("htmx:afterSettle", (event) => {
    const target = (event as CustomEvent<{ target?: HTMLElement }>).detail.target;
    const page = shown();
    if (page && target?.id === `${page.dataset["app"]}-container`) dismiss("run");
  });
}
