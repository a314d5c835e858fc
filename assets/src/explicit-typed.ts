// Buttons whose handler hands typed code to `runJsWidget`. The server took the handler apart: the code is data here, and
// goes into the frame without ever being a part of a script of this page.

import { runJsWidget } from "./explicit-frames";
import { on } from "./explicit-htmx";

/** Event, id of the widget, code, id of the target, whether the event ends with it. */
type Call = [string, string, string, string, boolean];

const known = new WeakSet<HTMLElement>();

function listen(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-pip-code]")) {
    if (known.has(element)) continue;
    known.add(element);
    for (const call of JSON.parse(element.dataset["pipCode"] ?? "[]") as (Call | string)[]) {
      if (typeof call === "string") {
        console.warn(`The ${call} handler of this element was left out, because what it runs could not be read:`, element);
      } else {
        obey(element, call);
      }
    }
  }
}

function obey(element: HTMLElement, [type, widget, code, target, ends]: Call): void {
  element.addEventListener(type, (event) => {
    runJsWidget(widget, code, target);
    if (ends) event.preventDefault();
  });
}

export function startTyped(): void {
  on("htmx:load", listen); // Once for each element that is new, wherever it was put.
  listen();
}
