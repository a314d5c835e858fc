// What the script reads from the page, and the small things it says back.

export function byId<T extends HTMLElement = HTMLElement>(id: string): T | null {
  return document.getElementById(id) as T | null;
}

/** What a piece of HTML that the server wrote has in it. Rows stand in no table here, which a template does not mind. */
export function parsed(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** The nonce that lets scripts of this page run, or "". */
export function pageNonce(): string {
  return document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
}

/** The run the page shows, where it shows one that can still change. */
export function currentRun(): HTMLElement | null {
  const run = byId("run");
  return run && run.dataset["run"] && run.dataset["past"] === undefined ? run : null;
}

/** Say something to people who cannot see the change. */
export function announce(words: string): void {
  const live = byId("live");
  if (live) live.textContent = words;
}

export interface Notice {
  name: string;
  words: string;
  action?: { words: string; run: () => void };
}

/** Show a quiet line at the edge of the page; one of the same name replaces it. */
export function notify(notice: Notice): void {
  dismiss(notice.name);
  const line = document.createElement("div");
  line.className = "notice-line";
  line.dataset["notice"] = notice.name;
  line.append(notice.words);
  if (notice.action) line.append(" ", button(notice.action.words, "secondary", notice.action.run));
  line.append(" ", button("Dismiss", "quiet", () => line.remove()));
  byId("notices")?.append(line);
}

export function dismiss(name: string): void {
  document.querySelector(`[data-notice="${name}"]`)?.remove();
}

export function button(words: string, kind: string, run: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = words;
  made.addEventListener("click", run);
  return made;
}

/** What is said where a form could not be sent. */
export const AWAY = "The server does not answer. What you typed is still here; press the button again when it is back.";

/** Why the server did not do something, in words for a person; `header` finds a header of its answer. */
export function reasonOf(status: number, text: string, header: (name: string) => string | null): string {
  const said = header("x-pipulate-notice");
  if (said) return decodeURIComponent(said);
  const isPlain = (header("content-type") ?? "").startsWith("text/plain");
  if (isPlain && text.length < 300) return text.trim();
  return `The server could not do this (${status}). What you typed is still here; try again.`;
}

/** Send a choice to the server; nobody waits for the answer. */
export function remember(name: string, value: string): void {
  void fetch("/-/look", {
    method: "POST",
    headers: { "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ [name]: value }),
    keepalive: true, // It arrives though the page is left at once.
  }).catch(() => {});
}
