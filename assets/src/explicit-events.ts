// What servers ask for through HX-Trigger, and what is done then. The old host's pages heard
// `refreshProfileMenu` and `refreshAppMenu` in elements of their own; here the menus themselves are asked for anew.

import { runJsWidget } from "./explicit-frames";
import { load } from "./explicit-libraries";
import { byId } from "./page";

type Detail = Record<string, unknown>;

let drawn = 0;

const text = (detail: Detail, name: string): string => String(detail[name] ?? "");

function when(name: string, handle: (detail: Detail) => void): void {
  document.body.addEventListener(name, (event) => handle((event as CustomEvent<Detail>).detail ?? {}));
}

/** Find an element that the answer brings: HX-Trigger comes before the answer is swapped in. */
function whenShown(id: string, use: (target: HTMLElement) => unknown): void {
  const tryNow = (): boolean => {
    const target = byId(id);
    if (target) use(target);
    return target !== null;
  };
  setTimeout(() => {
    if (!tryNow()) document.addEventListener("htmx:afterSettle", tryNow, { once: true });
  });
}

async function showMarkdown(target: HTMLElement, markdown: string): Promise<void> {
  await load("marked");
  target.innerHTML = window.marked.parse(markdown);
  if (target.querySelector("code[class*=language-]")) await highlight(target);
}

async function highlight(target: HTMLElement): Promise<void> {
  await load("Prism");
  window.Prism.highlightAllUnder(target);
}

async function drawDiagram(target: HTMLElement, diagram: string): Promise<void> {
  const place = target.querySelector<HTMLElement>(".mermaid") ?? target;
  place.dataset["processed"] = "true"; // So that the plugin's own `mermaid.run` leaves it alone.
  try {
    await load("mermaid");
    drawn += 1;
    place.innerHTML = (await window.mermaid.render(`diagram-${drawn}`, diagram)).svg;
  } catch (error) {
    const line = document.createElement("p");
    line.className = "problem";
    const reason = error instanceof Error ? error.message : String(error);
    line.textContent = `This diagram could not be drawn: ${reason.split("\n")[0]?.replace(/:$/, ".")}`;
    const source = document.createElement("pre");
    source.textContent = diagram;
    place.replaceChildren(line, source);
  }
}

/** Put what a menu has now in place of what it shows; the link to this page stays marked. */
async function refreshMenu(address: string, part: string): Promise<void> {
  const answer = await fetch(address);
  const old = document.querySelector(`.bar-top ${part}`);
  if (!answer.ok || !old) return;
  const made = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(part);
  if (!made) return;
  for (const link of made.querySelectorAll("a")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
  }
  old.replaceWith(made);
  window.htmx.process(made);
}

export function startEvents(): void {
  when("refreshAppMenu", () => void refreshMenu("/refresh-app-menu", "#apps-list"));
  when("refreshProfileMenu", () => void refreshMenu("/refresh-profile-menu", '.menu-body:has(form[action="/-/profile"])'));
  when("runJavaScript", (detail) =>
    whenShown(text(detail, "targetId"), () =>
      runJsWidget(text(detail, "widgetId"), text(detail, "code"), text(detail, "targetId")),
    ),
  );
  when("renderMarkdown", (detail) =>
    whenShown(text(detail, "targetId"), (target) => showMarkdown(target, text(detail, "markdown"))),
  );
  when("initMarked", (detail) =>
    whenShown(`${text(detail, "widgetId")}_rendered`, (target) =>
      showMarkdown(target, byId(`${text(detail, "widgetId")}_source`)?.textContent ?? ""),
    ),
  );
  when("renderMermaid", (detail) =>
    whenShown(text(detail, "targetId"), (target) => drawDiagram(target, text(detail, "diagram"))),
  );
  when("initializePrism", (detail) => whenShown(text(detail, "targetId"), highlight));
  when("scrollToLeftPanelBottom", () => setTimeout(() => byId("explicit")?.scrollIntoView({ block: "end" })));
}
