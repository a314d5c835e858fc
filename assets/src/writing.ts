// What is written in the panel: the field is empty at once for the next words, and one message goes after the other.

import { complain, post } from "./assistant";
import { drop } from "./drafts";
import { AWAY, reasonOf } from "./page";

interface Message {
  name: string; // Where it outlives a reload while it is not sent.
  text: string;
  data: FormData;
}

const WAIT_MS = 400; // What is sent at once needs no words, and moves nothing.
const unsent: Message[] = [];

const formOf = (): HTMLFormElement | null => document.querySelector<HTMLFormElement>("#assistant form[data-note]");
const fieldOf = (form: HTMLFormElement): HTMLTextAreaElement => form.querySelector("textarea") as HTMLTextAreaElement;

function nameOf(form: HTMLFormElement): string {
  return `unsent:${form.querySelector<HTMLInputElement>("input[name=_conversation]")?.value ?? ""}`;
}

/** Keep what is not sent for the case that the page goes. */
function keep(name: string): void {
  const texts = unsent.filter((each) => each.name === name).map(({ text }) => text);
  if (texts.length) sessionStorage.setItem(name, JSON.stringify(texts));
  else sessionStorage.removeItem(name);
}

/** Show what is on its way; the message itself comes from the server. */
function show(form: HTMLFormElement): void {
  form.setAttribute("aria-busy", String(unsent.length > 0));
  const lines = unsent.map(({ text }) => {
    const line = document.createElement("li");
    line.dir = "auto";
    line.textContent = text;
    return line;
  });
  const list = form.parentElement?.querySelector<HTMLElement>(".unsent") ?? document.createElement("ul");
  if (!list.isConnected) {
    list.className = "unsent";
    list.hidden = true;
    list.setAttribute("aria-label", "Being sent");
    form.before(list);
  }
  list.replaceChildren(...lines);
  if (!unsent.length) list.hidden = true;
  else setTimeout(() => (list.hidden = !unsent.length), WAIT_MS);
}

/** Put texts back into the field, before what is typed there by now. */
function giveBack(form: HTMLFormElement, texts: string[]): void {
  const field = fieldOf(form);
  field.value = [...texts, field.value].filter(Boolean).join("\n");
  field.dispatchEvent(new Event("input", { bubbles: true })); // So that its draft is kept.
}

/** Send a message; return what hindered it, or "". */
async function send(form: HTMLFormElement, data: FormData): Promise<string> {
  try {
    const answer = await post(form, data);
    return answer.ok ? "" : reasonOf(answer.status, await answer.text(), (name) => answer.headers.get(name));
  } catch {
    return AWAY;
  }
}

async function sendAll(form: HTMLFormElement): Promise<void> {
  for (let next = unsent[0]; next; next = unsent[0]) {
    const problem = await send(form, next.data);
    const done = unsent.splice(0, problem ? unsent.length : 1);
    if (problem) {
      giveBack(form, done.map(({ text }) => text));
      complain(form, problem);
    }
    for (const { name } of done) keep(name);
    show(form);
  }
}

function onSubmit(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  if (form.dataset["note"] === undefined) return;
  event.preventDefault();
  const field = fieldOf(form);
  const message = { name: nameOf(form), text: field.value, data: new FormData(form) };
  unsent.push(message);
  field.value = "";
  drop(form.dataset["draft"] ?? "");
  complain(form, "");
  keep(message.name);
  show(form);
  if (unsent.length === 1) void sendAll(form);
}

export function startWriting(): void {
  const form = formOf();
  if (!form) return;
  const name = nameOf(form);
  const kept = sessionStorage.getItem(name); // The page went while they were on their way: nobody knows how far they came.
  if (kept) giveBack(form, JSON.parse(kept) as string[]);
  sessionStorage.removeItem(name);
  document.addEventListener("submit", onSubmit);
}
