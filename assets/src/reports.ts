// The page of a report follows its filters: when they rest, what they find is fetched once and put in place of what was
// there, and the address says it too. The figure stays where it is and is drawn anew in its frame.

import { byId } from "./page";

const RESTS_MS = 250;

let timer = 0;
let under = new AbortController();

function addressOf(form: HTMLFormElement): string {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) asked.append(name, String(value));
  return `${form.getAttribute("action")}?${asked}`;
}

async function bring(form: HTMLFormElement, address: string, remembers: boolean): Promise<void> {
  under.abort();
  const { signal } = (under = new AbortController());
  byId("report-shown")?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, signal });
    if (!answer.ok && answer.status !== 422) throw new Error(`${answer.status}`);
    take(await answer.text());
    mark(form, answer.status === 422);
    if (remembers) window.history.pushState({ report: true }, "", address);
    byId("report-shown")?.removeAttribute("aria-busy");
  } catch {
    if (!signal.aborted) window.location.assign(address); // The page itself says what is wrong.
  }
}

/** Put what was found in place; a figure that is there already is only drawn anew. */
function take(html: string): void {
  const next = new DOMParser().parseFromString(html, "text/html").getElementById("report-shown");
  const shown = byId("report-shown");
  if (!next || !shown) return;
  const figure = shown.querySelector<HTMLElement>("#report-figure");
  const figureNext = next.querySelector<HTMLElement>("#report-figure");
  const isSame = figure?.dataset["libraries"] === figureNext?.dataset["libraries"];
  if (!figure?.querySelector("iframe") || !figureNext || !isSame) {
    shown.replaceChildren(...next.childNodes);
    document.dispatchEvent(new Event("pipulate:forms"));
    return;
  }
  const isDrawn = figure.dataset["drawn"] !== undefined;
  for (const each of [...figure.children]) if (!(each instanceof HTMLIFrameElement)) each.remove();
  for (const each of [...figureNext.children].reverse()) {
    (each as HTMLElement).hidden = isDrawn;
    figure.prepend(each);
  }
  figure.dispatchEvent(new Event("pipulate:redraw"));
  for (const id of ["report-count", "report-foot"]) {
    const fresh = next.querySelector(`#${id}`);
    if (fresh) byId(id)?.replaceChildren(...fresh.childNodes); // The line itself stays, so that its change is read out.
  }
}

/** Say with the fields that a rule is broken; which one, the browser says where it knows, and the page when asked. */
function mark(form: HTMLFormElement, isWrong: boolean): void {
  for (const each of form.querySelectorAll("input:not([type=range]), select")) {
    if (isWrong) each.setAttribute("aria-invalid", "true");
    else each.removeAttribute("aria-invalid");
  }
}

/** Put into the fields what the address says. */
function fill(form: HTMLFormElement): void {
  const asked = new URLSearchParams(window.location.search);
  const places = new Map<string, number>();
  for (const each of form.elements) {
    if (!(each instanceof HTMLInputElement || each instanceof HTMLSelectElement) || !each.name) continue;
    const [place, values] = [places.get(each.name) ?? 0, asked.getAll(each.name)];
    places.set(each.name, place + 1);
    if (each instanceof HTMLInputElement && ["checkbox", "radio"].includes(each.type)) {
      each.checked = values.length ? values.includes(each.value) : each.defaultChecked;
    } else if (values.length) {
      each.value = values[place] ?? values[0] ?? "";
    } else if (each instanceof HTMLInputElement) {
      each.value = each.defaultValue;
    }
    each.dispatchEvent(new Event("pipulate:filled"));
  }
}

(window.pipulateNeeds ??= {})["reports"] = (element) => {
  const form = element as HTMLFormElement;
  let last = addressOf(form);
  const rest = (wait: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const address = addressOf(form);
      if (address !== last) void bring(form, (last = address), true);
    }, wait);
  };
  form.addEventListener("input", () => rest(RESTS_MS));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    rest(0);
  });
  window.addEventListener("popstate", () => {
    fill(form);
    last = addressOf(form);
    void bring(form, `${window.location.pathname}${window.location.search}`, false);
  });
};

export {};
