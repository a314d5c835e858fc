// How answers come and go: who asks, that a button works and cannot be pressed twice, and what is said when it failed.

import { drop, restore } from "./drafts";
import { announce, byId, currentRun, dismiss } from "./page";
import { tab } from "./tab";

interface HtmxDetail {
  elt: HTMLElement;
  xhr: XMLHttpRequest;
  target?: HTMLElement;
  headers?: Record<string, string>;
  successful?: boolean;
  shouldSwap?: boolean;
  isError?: boolean;
  requestConfig?: { elt: HTMLElement; parameters: Record<string, string> };
}

let underWay = 0;

/** Whether an answer about the run is still to come. */
export function isWaiting(): boolean {
  return underWay > 0;
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

function reasonOf(xhr: XMLHttpRequest): string {
  const said = xhr.getResponseHeader("x-pipulate-notice");
  if (said) return decodeURIComponent(said);
  const isPlain = (xhr.getResponseHeader("content-type") ?? "").startsWith("text/plain");
  if (isPlain && xhr.responseText.length < 300) return xhr.responseText.trim();
  return `The server could not do this (${xhr.status}). What you typed is still here; try again.`;
}

function goToOpenStep(): void {
  const open = document.querySelector<HTMLElement>("#run .step.open");
  if (!open) {
    if (document.querySelector("#run-bar.finished")) announce("All steps are done.");
    return;
  }
  const wrong = open.querySelector<HTMLElement>("[aria-invalid=true]");
  const field = wrong ?? open.querySelector<HTMLElement>("[autofocus]") ?? open.querySelector<HTMLElement>("button");
  field?.focus({ preventScroll: true });
  open.scrollIntoView({ block: "nearest" });
  const title = open.querySelector("h2")?.textContent ?? "";
  announce(wrong ? `Please check ${title}.` : `Next: ${title}`);
}

export function startRequests(): void {
  on("htmx:configRequest", ({ headers }) => {
    if (headers) headers["X-Pipulate-Tab"] = tab();
  });
  on("htmx:beforeRequest", ({ elt }) => {
    underWay += 1;
    clearComplaints(elt);
    // The next turn of the loop: htmx still collects the values, and a disabled button has none.
    if (elt.closest("form[method=post]")) setTimeout(() => setBusy(elt, true));
  });
  on("htmx:afterRequest", ({ elt, xhr, successful, requestConfig }) => {
    underWay -= 1;
    const sender = requestConfig?.elt ?? elt; // Where the answer took its place, the event comes from around it.
    setTimeout(() => setBusy(sender, false));
    const form = formOf(sender);
    const note = form?.dataset["note"] === undefined ? null : form.querySelector("textarea");
    const isNext = note && note.value !== requestConfig?.parameters["text"]; // Typed while the last one was sent.
    if (successful && form?.dataset["draft"] && xhr.status < 400 && !isNext) {
      drop(form.dataset["draft"]);
      if (note) form.reset();
    }
    const run = currentRun();
    const version = xhr.getResponseHeader("x-pipulate-version");
    if (run && version && xhr.getResponseHeader("x-pipulate-run") === run.dataset["run"]) {
      run.dataset["version"] = String(Math.max(Number(version), Number(run.dataset["version"])));
    }
  });
  on("htmx:beforeSwap", (detail) => {
    if (!detail.xhr.getResponseHeader("x-pipulate-swap")) return;
    detail.shouldSwap = true;
    detail.isError = false;
  });
  on("htmx:responseError", ({ elt, xhr }) => complain(elt, reasonOf(xhr)));
  on("htmx:sendError", ({ elt }) =>
    complain(elt, "The server does not answer. What you typed is still here; press the button again when it is back."),
  );
  on("htmx:afterSettle", ({ target, elt }) => {
    restore(document);
    const place = target ?? elt;
    if (place.id === "run") dismiss("run");
    if (place.id === "run" || place.closest("#run") || place.id.startsWith("step-")) goToOpenStep();
  });
  document.addEventListener("pipulate:forms", () => restore(document));
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    const question = form.dataset["confirm"];
    if (question && !confirm(question)) event.preventDefault();
  });
}
