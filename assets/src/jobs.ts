// What a page shows of jobs follows what the socket tells: fetched anew at most once a second, however many change,
// and every two seconds while it shows one that is at work. A page that nobody looks at waits until somebody does.

import { Idiomorph } from "idiomorph";
import htmx from "htmx.org";
import { keeping } from "./needs";
import { announce, byId } from "./page";

const EVERY_MS = 1_000;
const TOGETHER_MS = 100; // What changes at the same moment is fetched once.
const MOVING_MS = 2_000;
const LINES_MAX = 1_000;

let fetched = 0;
let due = 0;
let timer = 0;
let isOpen = false;
let pressed: HTMLElement | null = null; // A button that is sent loses the focus before it goes.

const callbacks = {
  ...keeping,
  // What somebody unfolded stays so.
  beforeAttributeUpdated: (name: string, element: Element): boolean =>
    !(name === "open" && element instanceof HTMLDetailsElement) && keeping.beforeAttributeUpdated(name, element),
};

/** Bring what is shown up to date, after a while and not before its time. */
function soon(wait = TOGETHER_MS): void {
  const at = Math.max(Date.now() + wait, fetched + EVERY_MS);
  if (timer && due <= at) return;
  clearTimeout(timer);
  due = at;
  timer = setTimeout(() => void refresh(), at - Date.now());
}

async function refresh(): Promise<void> {
  timer = 0;
  if (document.hidden) return; // It is brought up to date when somebody looks.
  fetched = Date.now();
  const parts = [...document.querySelectorAll<HTMLElement>("[data-jobs]")].map(bring);
  await Promise.all([...parts, ...[...document.querySelectorAll<HTMLElement>("[data-log]")].map(append)]);
  keepMoving();
}

function keepMoving(): void {
  if (document.querySelector("[data-moves]")) soon(MOVING_MS);
}

async function text(address: string): Promise<string | null> {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  return answer?.ok ? answer.text() : null; // The socket tells again when the server is back.
}

async function bring(part: HTMLElement): Promise<void> {
  const html = await text(part.dataset["jobs"] as string);
  if (html === null || !part.isConnected) return;
  const held = [document.activeElement, pressed].find((each) => part.contains(each));
  const row = held?.closest("tr")?.querySelector("[id]")?.id;
  Idiomorph.morph(part, html, { morphStyle: "outerHTML", ignoreActiveValue: true, callbacks });
  const now = byId(part.id);
  if (!now) return;
  htmx.process(now);
  // Who pressed a button that is not there any more goes on at what stands in its place.
  const heir = (row && byId(row)?.closest("tr")) || now;
  if (held && !held.isConnected && document.activeElement === document.body) {
    heir.querySelector<HTMLElement>("button:not(:disabled), a[href]")?.focus({ preventScroll: true });
  }
}

/** Add the lines that are new to a log; who reads its end goes on reading its end. */
async function append(log: HTMLElement): Promise<void> {
  const last = (log.lastElementChild as HTMLElement | null)?.dataset["seq"] ?? "0";
  const html = await text(`${log.dataset["log"]}?after=${last}`);
  if (!html) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.insertAdjacentHTML("beforeend", html);
  while (log.children.length > LINES_MAX) log.firstElementChild?.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/** What happened between the drawing of the page and its socket, or while that was away, was not told. */
function onOpen(): void {
  if (isOpen || document.querySelector("[data-jobs]:not([hidden])")) soon();
  isOpen = true;
}

function onChange(event: Event): void {
  (event.target as Element).closest<HTMLFormElement>("form[data-sends-itself]")?.requestSubmit();
}

export function startJobs(): void {
  document.addEventListener("pipulate:job", (event) => {
    const { said } = (event as CustomEvent<{ said?: string }>).detail;
    if (said) announce(said);
    soon();
  });
  document.addEventListener("pipulate:open", onOpen);
  document.addEventListener("htmx:beforeRequest", (event) => {
    pressed = (event as CustomEvent<{ elt: HTMLElement }>).detail.elt;
  });
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  document.addEventListener("change", onChange);
  for (const log of document.querySelectorAll<HTMLElement>("[data-log]")) log.scrollTop = log.scrollHeight;
  keepMoving();
}
