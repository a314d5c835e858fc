// Below a field for Markdown, what it will look like: the server draws it, as it draws every Markdown.

import { own } from "./fields-own";

const WAIT_MS = 250;

export function dressMarkdown(area: HTMLTextAreaElement): void {
  const pane = own("section", "preview");
  pane.setAttribute("aria-label", "Preview");
  let timer = 0;
  let asked = 0;
  const show = async (): Promise<void> => {
    const turn = ++asked;
    const text = area.value;
    pane.hidden = text.trim() === "";
    if (pane.hidden) return;
    const answer = await fetch("/-/preview", {
      method: "POST",
      headers: { "HX-Request": "true" },
      body: new URLSearchParams({ text }),
    }).catch(() => null); // The server does not answer just now: the last preview stays.
    if (answer?.ok && turn === asked) pane.innerHTML = await answer.text();
  };
  for (const type of ["input", "pipulate:filled"]) {
    area.addEventListener(type, () => {
      clearTimeout(timer);
      timer = setTimeout(() => void show(), WAIT_MS);
    });
  }
  area.after(pane);
  void show();
}
