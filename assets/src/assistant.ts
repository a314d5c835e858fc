// What people do in the conversation: decide, stop, try again, look back, search, clear.

import { byId, parsed, reasonOf } from "./page";
import { tab } from "./tab";
import { box, element, isAnswering, messages, replace, showModel, startTalk, stay, takeBox, toEnd } from "./talk";

const OWN = { "HX-Request": "true" };

/** Send what is in a form of the panel. */
export function post(form: HTMLFormElement, data: FormData): Promise<Response> {
  return fetch(form.getAttribute("action") ?? "", {
    method: "POST",
    headers: { ...OWN, "X-Pipulate-Tab": tab() },
    body: new URLSearchParams(data as unknown as Record<string, string>),
  });
}

async function send(form: HTMLFormElement, submitter: HTMLButtonElement | null): Promise<void> {
  const data = new FormData(form);
  if (submitter?.name) data.append(submitter.name, submitter.value);
  complain(form, "");
  setBusy(form, true);
  try {
    const answer = await post(form, data);
    const text = await answer.text();
    if (answer.ok || answer.headers.has("x-pipulate-swap")) place(text);
    else complain(form, reasonOf(answer.status, text, (name) => answer.headers.get(name)));
  } catch {
    complain(form, "The server does not answer. Press the button again when it is back.");
  }
  setBusy(form, false);
}

/** Not `disabled`: a button that is disabled loses the focus, and who works with keys starts again at the top. */
function setBusy(form: HTMLFormElement, isBusy: boolean): void {
  form.toggleAttribute("data-busy", isBusy);
  for (const each of form.querySelectorAll("button")) {
    if (isBusy) each.setAttribute("aria-disabled", "true");
    else each.removeAttribute("aria-disabled");
  }
}

/** Say below a form what hindered it; nothing any more for "". */
export function complain(form: HTMLFormElement, words: string): void {
  const next = form.nextElementSibling;
  if (next?.classList.contains("send-problem")) next.remove();
  if (!words) return;
  const line = document.createElement("p");
  line.className = "problem send-problem";
  line.setAttribute("role", "alert");
  line.textContent = words;
  form.after(line);
}

/** Put what came back where its like stands. */
function place(html: string): void {
  if (!html.trim()) return;
  const made = element(html);
  if (made.id === "assistant-model") showModel(html) || sayUnchanged();
  else if (made.classList.contains("messages")) takeAnew(made, html);
  else replace(document.querySelector(`#messages > [data-seq="${made.dataset["seq"]}"]`), made);
}

/** Show a conversation anew; not where the page is about another one by now, or further on than what came back. */
function takeAnew(made: HTMLElement, html: string): void {
  const [fresh, shown] = [made.querySelector<HTMLElement>("#messages")?.dataset, messages()?.dataset];
  if (!fresh || fresh["conversation"] !== shown?.["conversation"]) return;
  if (Number(fresh["changes"]) < Number(shown?.["changes"])) return void showAnew().catch(() => {});
  takeBox(html);
  document.dispatchEvent(new Event("pipulate:talk"));
}

/** Who looked again and finds the same line has to know that somebody looked. */
function sayUnchanged(): void {
  const form = document.querySelector<HTMLElement>("#assistant form.look");
  if (!form) return;
  const line = form.querySelector<HTMLElement>("[role=status]") ?? form.appendChild(document.createElement("span"));
  line.setAttribute("role", "status");
  line.className = "help";
  line.textContent = `Looked at ${new Date().toLocaleTimeString()}: nothing has changed.`;
}

function onSubmit(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  if (form.dataset["note"] !== undefined) toEnd(); // Who writes wants to see what comes of it.
  if (form.dataset["asks"] === undefined) return;
  event.preventDefault();
  if (form.dataset["busy"] !== undefined) return; // It is on its way already.
  const menu = form.closest<HTMLDetailsElement>("details[data-menu]");
  if (form.classList.contains("retry") || form.closest("#assistant .panel-head")) stay(); // Their buttons vanish.
  else menu?.querySelector("summary")?.focus({ preventScroll: true });
  menu?.removeAttribute("open");
  void send(form, event.submitter as HTMLButtonElement | null);
}

function onKey(event: KeyboardEvent): void {
  if (event.key !== "Escape" || !isAnswering()) return;
  if (!(event.target as Element).closest("#assistant .writing")) return;
  document.querySelector<HTMLFormElement>("#assistant form.stop")?.requestSubmit();
}

let loading: Promise<boolean> | undefined;

/** Fetch the messages before those that are shown; tell whether there were any. */
function loadOlder(): Promise<boolean> {
  loading ??= fetchOlder().finally(() => {
    loading = undefined;
  });
  return loading;
}

async function fetchOlder(): Promise<boolean> {
  const link = document.querySelector<HTMLAnchorElement>("#assistant .older");
  const view = box();
  const list = messages();
  if (!link || !view || !list) return false;
  const answer = await fetch(link.href, { headers: OWN });
  if (!answer.ok || !link.isConnected) return false;
  const page = parsed(await answer.text());
  const next = page.querySelector(".older")?.parentElement;
  const height = view.scrollHeight;
  list.prepend(...(page.querySelector("ol")?.children ?? []));
  if (next) link.parentElement?.replaceWith(next);
  else link.parentElement?.remove();
  view.scrollTop += view.scrollHeight - height;
  watchTop();
  document.dispatchEvent(new Event("pipulate:forms"));
  return true;
}

const atTop = new IntersectionObserver((seen) => {
  if (seen.some((each) => each.isIntersecting)) void loadOlder().catch(() => {});
});

function watchTop(): void {
  atTop.disconnect();
  const link = document.querySelector("#assistant .messages .older");
  if (link) atTop.observe(link);
}

/** Show the message of a number, however long ago it was. */
async function goTo(seq: string): Promise<void> {
  const find = (): HTMLElement | null => document.querySelector(`#messages > [data-seq="${seq}"]`);
  while (!find() && (await loadOlder()));
  const found = find();
  if (!found) return;
  for (const each of document.querySelectorAll("#messages > .hit-message")) each.classList.remove("hit-message");
  found.classList.add("hit-message");
  found.tabIndex = -1;
  found.focus({ preventScroll: true });
  found.scrollIntoView({ block: "center" });
}

function onClick(event: MouseEvent): void {
  const at = event.target as Element;
  const hit = at.closest<HTMLElement>("[data-goes-to]");
  if (hit) {
    event.preventDefault();
    hit.closest<HTMLDetailsElement>("details[data-menu]")?.removeAttribute("open");
    void goTo(hit.dataset["goesTo"] as string).catch(() => location.assign((hit as HTMLAnchorElement).href));
  }
  if (at.closest("#assistant .messages .older")) {
    event.preventDefault();
    void loadOlder().catch(() => {});
  }
}

/** Show a conversation anew in which messages were cleared away or brought back. */
export async function showAnew(): Promise<void> {
  const conversation = messages()?.dataset["conversation"];
  if (!conversation) return;
  const answer = await fetch(`/-/assistant/messages?${new URLSearchParams({ conversation })}`, { headers: OWN });
  if (answer.ok) place(await answer.text());
}

/** Let the forms of the panel be about another conversation. */
export function beAbout(conversation: string): void {
  for (const field of document.querySelectorAll<HTMLInputElement>("#assistant input")) {
    if (["conversation", "_conversation"].includes(field.name)) field.value = conversation;
    if (field.name === "_view") field.value = "";
  }
  const link = document.querySelector<HTMLAnchorElement>('#assistant a[href^="/-/assistant/export.md"]');
  if (link) link.href = `/-/assistant/export.md?${new URLSearchParams({ conversation })}`;
  document.querySelector("#assistant .messages .older")?.parentElement?.remove();
  byId("assistant-found")?.replaceChildren();
}

export function startAssistant(): void {
  if (!messages()) return;
  startTalk();
  watchTop();
  document.addEventListener("submit", onSubmit);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
}
