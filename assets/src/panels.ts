// What opens and closes: menus, dialogs, the drawer, the assistant; and the keys that do it.

import htmx from "htmx.org";
import { byId, remember } from "./page";

const WIDTH = "pipulate.assistant.width";
const SMALL = "(max-width: 860px)";
const NARROWEST = 260;
const WIDEST = 720;

function dialog(name: string): HTMLDialogElement | null {
  return byId<HTMLDialogElement>(`${name}-dialog`);
}

function open(name: string): void {
  const found = dialog(name);
  if (!found || found.open) return;
  if (name === "drawer") found.show();
  else found.showModal();
  const field = found.querySelector<HTMLInputElement>("input[type=search]");
  if (field) {
    field.select();
    htmx.trigger(field, "opened", {});
  }
}

function closeMenus(except?: Element | null): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

function toggleAssistant(): void {
  const body = document.body;
  if (matchMedia(SMALL).matches) {
    // On a small screen it is a sheet over the work: never open by itself, and not worth remembering.
    body.toggleAttribute("data-sheet");
    return;
  }
  const next = body.dataset["assistant"] === "hidden" ? "shown" : "hidden";
  body.dataset["assistant"] = next;
  remember("assistant", next);
  if (next === "shown") byId("assistant")?.querySelector<HTMLElement>("textarea")?.focus();
}

/** Open the assistant, wherever it is, and go to what waits there for somebody; else to the field to write in. */
function showAssistant(): void {
  if (matchMedia(SMALL).matches) document.body.toggleAttribute("data-sheet", true);
  else if (document.body.dataset["assistant"] === "hidden") toggleAssistant();
  const panel = byId("assistant");
  const asks = panel?.querySelector<HTMLElement>("#messages > .call.asks");
  asks?.scrollIntoView({ block: "start" });
  (asks?.querySelector<HTMLElement>("summary, button") ?? panel?.querySelector("textarea"))?.focus({ preventScroll: true });
}

function onClick(event: MouseEvent): void {
  const at = event.target as Element;
  if (at.closest("[data-shows=assistant]") && byId("assistant")) {
    event.preventDefault();
    showAssistant();
  }
  const opens = at.closest<HTMLElement>("[data-opens]");
  if (opens) open(opens.dataset["opens"] as string);
  const closes = at.closest<HTMLElement>("[data-closes]");
  if (closes) dialog(closes.dataset["closes"] as string)?.close();
  if (at.closest("[data-toggles=assistant]")) toggleAssistant();
  const unfold = at.closest<HTMLElement>("[data-unfold]");
  if (unfold) {
    unfold.pipulateKeeps = ["aria-expanded"];
    unfold.setAttribute("aria-expanded", String(unfold.getAttribute("aria-expanded") !== "true"));
  }
  closeMenus(at.closest("details[data-menu]"));
  if (at instanceof HTMLDialogElement && at.open) at.close(); // A click beside a modal dialog is a click on it.
}

function onLook(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const chosen = event.submitter as HTMLButtonElement | null;
  if (form.dataset["look"] === undefined || !chosen) return;
  event.preventDefault();
  const root = document.documentElement;
  if (chosen.value === "auto") delete root.dataset["theme"];
  else root.dataset[chosen.name] = chosen.value;
  for (const each of form.querySelectorAll<HTMLButtonElement>(`button[name=${chosen.name}]`)) {
    each.setAttribute("aria-pressed", String(each === chosen));
  }
  remember(chosen.name, chosen.value);
}

function onKey(event: KeyboardEvent): void {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && key === "k") {
    event.preventDefault();
    open("search");
  } else if (command && key === "j" && byId("assistant")) {
    event.preventDefault();
    toggleAssistant();
  } else if (command && event.key === "Enter") {
    (event.target as Element).closest("form")?.requestSubmit();
  } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    const note = (event.target as Element).closest<HTMLFormElement>("form[data-note]");
    if (note && event.target instanceof HTMLTextAreaElement) {
      event.preventDefault();
      note.requestSubmit();
    }
  } else if (event.key === "Escape") {
    const menu = document.querySelector<HTMLDetailsElement>("details[data-menu][open]");
    if (menu) menu.querySelector("summary")?.focus();
    closeMenus();
    dialog("drawer")?.close();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    walk(event);
  }
}

/** Arrow keys walk through what a search found, and through the entries of a menu. */
function walk(event: KeyboardEvent): void {
  const list = (event.target as Element).closest<HTMLElement>("#search-dialog, details[data-menu]");
  if (!list) return;
  const stops = [...list.querySelectorAll<HTMLElement>("input[type=search], li:not([hidden]) > :is(a, button), form button")];
  const now = stops.indexOf(document.activeElement as HTMLElement);
  const next = stops[now + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** Who walks through what a search found stays there when more is found. */
function keepPlace(event: Event): void {
  const hits = event.target as HTMLElement;
  if (hits.id !== "hits" || !hits.contains(document.activeElement)) return;
  hits.addEventListener("htmx:afterSwap", () => hits.querySelector<HTMLElement>("a, button")?.focus(), { once: true });
}

function onFilter(event: Event): void {
  const field = event.target as HTMLInputElement;
  const list = field.dataset?.["filters"];
  if (!list) return;
  const words = field.value.trim().toLowerCase();
  for (const item of byId(list)?.children ?? []) {
    (item as HTMLElement).hidden = !(item.textContent ?? "").toLowerCase().includes(words);
  }
}

function startResizing(): void {
  const panel = byId("assistant");
  if (!panel) return;
  const set = (width: number): void => {
    const kept = Math.max(NARROWEST, Math.min(WIDEST, Math.round(width)));
    document.documentElement.style.setProperty("--assistant-width", `${kept}px`);
    handle.setAttribute("aria-valuenow", String(kept));
    localStorage.setItem(WIDTH, String(kept));
  };
  const handle = document.createElement("div");
  handle.className = "resizer";
  handle.tabIndex = 0;
  handle.setAttribute("role", "separator");
  handle.setAttribute("aria-orientation", "vertical");
  handle.setAttribute("aria-label", "Width of the assistant");
  handle.setAttribute("aria-valuemin", String(NARROWEST));
  handle.setAttribute("aria-valuemax", String(WIDEST));
  handle.setAttribute("aria-valuenow", String(panel.offsetWidth || 360));
  panel.prepend(handle);
  handle.addEventListener("pointerdown", (down) => {
    handle.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent): void => set(document.documentElement.clientWidth - event.clientX);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: 20, ArrowRight: -20 }[event.key];
    if (step) set(panel.offsetWidth + step);
  });
  const kept = Number(localStorage.getItem(WIDTH));
  if (kept) set(kept);
}

export function startPanels(): void {
  document.addEventListener("click", onClick);
  document.addEventListener("submit", onLook);
  document.addEventListener("keydown", onKey);
  document.addEventListener("input", onFilter);
  document.addEventListener("htmx:beforeSwap", keepPlace);
  startResizing();
}
