// How answers come and go: who asks, that a button works and cannot be pressed twice, and what is said when it failed.

import { drop, restore } from "./drafts";
import { announce, AWAY, byId, currentRun, dismiss, reasonOf } from "./page";
import { tab } from "./tab";

interface HtmxDetail {
  elt: HTMLElement;
  xhr: XMLHttpRequest;
  target?: HTMLElement;
  headers?: Record<string, string>;
  successful?: boolean;
  shouldSwap?: boolean;
  isError?: boolean;
  requestConfig?: { elt: HTMLElement };
}

let underWay = 0;
let asked = 0;
let writing: HTMLElement | null = null; // Where somebody wrote beside the run as an answer came, which must not call them away.

/** Whether an answer about the run is still to come. */
export function isWaiting(): boolean {
  return underWay > 0;
}

/** How often this page asked for something until now. */
export function askedUntilNow(): number {
  return asked;
}

/** Whether an element asks without a click, for how something stands. */
export function asksByItself(element: HTMLElement): boolean {
  return Boolean(element.dataset["job"]) || (element.getAttribute("hx-trigger") ?? "").startsWith("every ");
}

const on = (name: string, handle: (detail: HtmxDetail, event: Event) => void): void =>
  document.addEventListener(name, (event) => handle((event as CustomEvent<HtmxDetail>).detail, event));

function formOf(element: HTMLElement): HTMLFormElement | null {
  return element.closest("form");
}

function setBusy(element: HTMLElement, busy: boolean): void {
  const form = formOf(element);
  if (!form) return;
  form.toggleAttribute("data-busy", busy);
  form.setAttribute("aria-busy", String(busy));
  for (const each of form.querySelectorAll<HTMLButtonElement>("button")) each.disabled = busy;
}

/** Say at the place where it happened that an answer did not come, or was no good. */
function complain(element: HTMLElement, words: string): void {
  const form = formOf(element);
  const place = form?.querySelector(".actions") ?? form;
  const line = document.createElement("p");
  line.className = "problem send-problem";
  line.setAttribute("role", "alert");
  line.textContent = words;
  if (place && form && !form.classList.contains("find")) place.before(line);
  else byId("notices")?.replaceChildren(line);
}

function clearComplaints(element: HTMLElement): void {
  const form = formOf(element);
  const where = form?.parentElement ?? document;
  for (const line of where.querySelectorAll(".send-problem")) line.remove();
}

function writesBeside(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>("#assistant textarea") ?? null;
}

function goTo(element: HTMLElement | null | undefined, shown: HTMLElement): void {
  writing = writesBeside() ?? writing;
  if (writing?.isConnected) return writing.focus({ preventScroll: true });
  element?.focus({ preventScroll: true });
  shown.scrollIntoView({ block: "nearest" });
}

function goToOpenStep(): void {
  const open = document.querySelector<HTMLElement>("#run .step.open");
  if (!open) {
    const bar = document.querySelector<HTMLElement>("#run-bar.finished, #run-bar.unready");
    if (!bar) return;
    bar.tabIndex = -1; // What had the focus is gone; from here the next Tab leads to what can be done now.
    goTo(bar, bar);
    announce(bar.classList.contains("finished") ? "All steps are done." : (bar.textContent ?? ""));
    return;
  }
  const wrong = open.querySelector<HTMLElement>("[aria-invalid=true]");
  // The server has named the first field that is wrong, or empty; not every one of them can be marked as wrong itself.
  const field = open.querySelector<HTMLElement>("[autofocus]") ?? wrong ?? open.querySelector<HTMLElement>("button");
  goTo(field, open);
  const title = open.querySelector("h2")?.textContent ?? "";
  announce(wrong ? `Please check ${title}.` : `Next: ${title}`);
}

export function startRequests(): void {
  on("htmx:configRequest", ({ headers }) => {
    if (headers) headers["X-Pipulate-Tab"] = tab();
  });
  on("htmx:beforeSend", ({ elt, xhr }) => {
    if (asksByItself(elt)) return; // It answers nobody's click.
    underWay += 1;
    asked += 1;
    // htmx says nothing to the page of an answer whose element is gone by then; the request itself always does.
    xhr.addEventListener("loadend", () => {
      underWay -= 1;
    });
  });
  on("htmx:beforeRequest", ({ elt }) => {
    clearComplaints(elt);
    // The next turn of the loop: htmx still collects the values, and a disabled button has none.
    if (elt.closest("form[method=post]")) setTimeout(() => setBusy(elt, true));
  });
  on("htmx:afterRequest", ({ elt, xhr, successful, requestConfig }) => {
    const sender = requestConfig?.elt ?? elt; // Where the answer took its place, the event comes from around it.
    setTimeout(() => setBusy(sender, false));
    const form = formOf(sender);
    // Where an answer leads to another page, htmx does not say whether it was a good one.
    const isTaken = successful || xhr.getResponseHeader("hx-redirect") !== null;
    if (isTaken && form?.dataset["draft"] && xhr.status < 400) drop(form.dataset["draft"]);
    const run = currentRun();
    const version = xhr.getResponseHeader("x-pipulate-version");
    if (run && version && xhr.getResponseHeader("x-pipulate-run") === run.dataset["run"]) {
      run.dataset["version"] = String(Math.max(Number(version), Number(run.dataset["version"])));
    }
  });
  on("htmx:beforeSwap", (detail) => {
    writing = writesBeside();
    if (!detail.xhr.getResponseHeader("x-pipulate-swap")) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });
  on("htmx:responseError", ({ elt, xhr }) => complain(elt, reasonOf(xhr.status, xhr.responseText, (name) => xhr.getResponseHeader(name))));
  on("htmx:sendError", ({ elt }) => {
    if (asksByItself(elt)) return; // It asks again.
    complain(elt, AWAY);
  });
  on("htmx:afterSettle", ({ target, elt }) => {
    restore(document);
    const place = target ?? elt;
    if (place.id === "run") dismiss("run");
    if (place.closest("[data-table]")) return; // Another page of a table is no answer to a step.
    if (place.id === "run" || place.closest("#run") || place.id.startsWith("step-")) goToOpenStep();
  });
  document.addEventListener("pipulate:forms", () => restore(document));
  document.addEventListener(
    "submit",
    (event) => {
      // What is half typed into a number or a date is sent as nothing: the browser knows that it is wrong, we do not.
      const fields = [...(event.target as HTMLFormElement).elements] as HTMLInputElement[];
      const wrong = fields.find((field) => field.validity?.badInput);
      if (!wrong) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      wrong.reportValidity();
    },
    true,
  );
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    const question = form.dataset["confirm"];
    if (question && !confirm(question)) event.preventDefault();
  });
}
