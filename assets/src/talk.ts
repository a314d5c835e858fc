// The conversation: messages as they come, answers as they grow, changes of what is there already.

import { dressAll } from "./needs";
import { byId, parsed } from "./page";

export interface Item {
  seq: number;
  role: string;
  html: string;
  summary?: string;
}

export interface Growth {
  seq: number;
  from: number;
  to: number;
  text: string;
  blocks?: string;
  thinking?: string;
  thoughts?: number;
}

const NEAR_PX = 40;
const ABOVE_PX = 8;
const FENCE = /^\s*(```|~~~)/; // As in `ui.assistant.answers`.
/** What of an answer was drawn as whole blocks, as the server sent it: scripts change what stands on the page. */
const drawn = new WeakMap<Element, string>();
let belowButton: HTMLButtonElement | undefined;

export function messages(): HTMLElement | null {
  return byId("messages");
}

export function box(): HTMLElement | null {
  return messages()?.closest<HTMLElement>(".messages") ?? null;
}

export function element(html: string): HTMLElement {
  return parsed(html).firstElementChild as HTMLElement;
}

function isAtEnd(view: HTMLElement): boolean {
  return view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_PX;
}

/** Where who follows the conversation is: at its end, but not past a card that asks, which is read from its top. */
function followed(view: HTMLElement): number {
  const end = view.scrollHeight - view.clientHeight;
  const card = view.querySelector<HTMLElement>("#messages > .call.asks");
  if (!card) return end;
  const top = card.getBoundingClientRect().top - view.getBoundingClientRect().top + view.scrollTop;
  return Math.min(end, top - ABOVE_PX);
}

function isFollowing(view: HTMLElement): boolean {
  return followed(view) - view.scrollTop < NEAR_PX;
}

function follow(view: HTMLElement): void {
  view.scrollTop = Math.max(view.scrollTop, followed(view)); // Never back from what somebody reads further down.
  placed = view.scrollTop;
  follows = true;
}

export function toEnd(): void {
  const view = box();
  if (view) {
    view.scrollTop = view.scrollHeight;
    placed = view.scrollTop;
    follows = true;
  }
  showBelow(false);
}

let follows = true;
let placed = 0; // Where we scrolled to last: that we hear of that later says nothing of what the person wants.

/** Who follows goes on doing so when the box gets smaller: a longer line about the model, a taller field, a keyboard. */
const sized = new ResizeObserver(() => {
  const view = box();
  if (view && follows) follow(view);
});

function showBelow(isShown: boolean): void {
  const view = box();
  if (!belowButton?.isConnected) {
    if (!isShown || !view) return;
    belowButton = document.createElement("button");
    belowButton.type = "button";
    belowButton.className = "secondary below";
    belowButton.textContent = "New words below";
    belowButton.addEventListener("click", toEnd);
    view.after(belowButton);
  }
  belowButton.hidden = !isShown;
}

/** Change the conversation; who reads its end stays there, who reads elsewhere is not moved and is told. */
function keepingPlace(change: () => boolean): void {
  const view = box();
  const wasFollowing = view !== null && isFollowing(view);
  const isNew = change();
  if (view && wasFollowing) follow(view);
  if (view && isAtEnd(view)) showBelow(false);
  else if (isNew) showBelow(true);
  dressAll();
  showMood();
}

/** Take in new messages. */
export function append(items: Item[]): void {
  keepingPlace(() => items.filter(appendOne).length > 0);
}

function appendOne(item: Item): boolean {
  const list = messages();
  if (!list || item.seq <= Number(list.dataset["last"])) return false;
  list.dataset["last"] = String(item.seq);
  document.querySelector("#assistant .cleared")?.remove();
  const made = element(item.html);
  const last = list.lastElementChild;
  if (item.role !== "event") list.append(made);
  else if (last?.classList.contains("events")) join(last as HTMLElement, made, item.summary ?? "");
  else list.append(group(made, item.summary ?? ""));
  return item.role !== "event";
}

function group(event: HTMLElement, summary: string): HTMLElement {
  const made = element(
    '<li class="events"><details><summary><span class="count">1 thing happened: </span>' +
      '<span class="last"></span></summary><ol></ol></details></li>',
  );
  join(made, event, summary);
  return made;
}

/** Put an event into the folded line of those that came just before it. */
function join(line: HTMLElement, event: HTMLElement, summary: string): void {
  const events = line.querySelector("ol");
  events?.append(event);
  const count = events?.children.length ?? 1;
  const words = line.querySelector(".count");
  if (words) words.textContent = count === 1 ? "1 thing happened: " : `${count} things happened: `;
  const last = line.querySelector(".last");
  if (last) last.innerHTML = summary;
}

function find(seq: number): HTMLElement | null {
  return document.querySelector<HTMLElement>(`#messages > [data-seq="${seq}"]`);
}

/** Put messages that changed in place of what they were. */
export function change(number: number, items: { seq: number; html: string }[]): void {
  const list = messages();
  if (list) list.dataset["changes"] = String(Math.max(number, Number(list.dataset["changes"] ?? 0)));
  keepingPlace(() => {
    const length = (): number => list?.lastElementChild?.textContent.length ?? 0;
    const before = length();
    for (const each of items) replace(find(each.seq), element(each.html));
    return length() > before; // The end of an answer may come with its last words, or all of them.
  });
}

/** Put one message in place of another; an answer that grew keeps what is there already, so that nothing moves. */
export function replace(old: HTMLElement | null, fresh: HTMLElement): void {
  if (!old) return;
  if (isSameQuestion(old, fresh)) return;
  const hadFocus = old.contains(document.activeElement);
  const body = old.querySelector<HTMLElement>(":scope > .prose");
  const whole = fresh.querySelector<HTMLElement>(":scope > .prose");
  const shown = drawn.get(old);
  if (body && whole && shown !== undefined && fresh.dataset["open"] === undefined && whole.innerHTML.startsWith(shown)) {
    settle(old, fresh, body, whole, shown);
  } else {
    old.replaceWith(fresh);
    if (hadFocus) fresh.querySelector<HTMLElement>("summary, button, a")?.focus({ preventScroll: true });
  }
}

/** A card that still asks the same is left alone: somebody may be changing its fields. */
function isSameQuestion(old: HTMLElement, fresh: HTMLElement): boolean {
  const shown = (card: HTMLElement): string | undefined =>
    card.classList.contains("asks") && !card.querySelector(".problem")
      ? card.querySelector<HTMLInputElement>("input[name=shown]")?.value
      : undefined;
  return shown(old) !== undefined && shown(old) === shown(fresh);
}

function settle(old: HTMLElement, fresh: HTMLElement, body: HTMLElement, whole: HTMLElement, shown: string): void {
  body.append(parsed(whole.innerHTML.slice(shown.length)));
  const isOpen = old.querySelector<HTMLDetailsElement>(":scope > .thinking")?.open ?? false;
  const around = [...fresh.children];
  const at = around.indexOf(whole);
  for (const child of [...old.children]) if (child !== body) child.remove();
  body.before(...around.slice(0, at));
  body.after(...around.slice(at + 1));
  const thinking = old.querySelector<HTMLDetailsElement>(":scope > .thinking");
  if (thinking) thinking.open = isOpen;
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const name of fresh.getAttributeNames()) old.setAttribute(name, fresh.getAttribute(name) ?? "");
}

/** Take in more of the answer that is being written. */
export function grow(frame: Growth): void {
  const answer = find(frame.seq);
  if (!answer || answer.dataset["open"] === undefined) return;
  const [chunks = 0, thoughts = 0] = (answer.dataset["grown"] ?? "0.0").split(".").map(Number);
  if (chunks !== frame.from) return; // The next look at what the page has puts that right.
  keepingPlace(() => {
    const body = answer.querySelector<HTMLElement>(":scope > .prose");
    const tail = answer.querySelector<HTMLElement>(":scope > .tail");
    if (!body || !tail) return false;
    remember(answer);
    if (frame.blocks !== undefined) {
      const template = document.createElement("template");
      template.innerHTML = frame.blocks;
      drawn.set(answer, (drawn.get(answer) ?? "") + template.innerHTML);
      body.append(template.content);
      tail.textContent = frame.text;
    } else if (frame.text) {
      const last = tail.lastChild;
      if (last instanceof Text) last.appendData(frame.text);
      else tail.append(frame.text);
    }
    tail.classList.toggle("fence", FENCE.test(tail.textContent));
    think(answer, frame.thinking);
    answer.dataset["grown"] = `${frame.to}.${frame.thoughts ?? thoughts}`;
    return true;
  });
}

function think(answer: HTMLElement, words: string | undefined): void {
  const thinking = answer.querySelector<HTMLElement>(":scope > .thinking");
  if (!thinking || !words) return;
  thinking.hidden = false;
  thinking.querySelector(".text")?.append(words);
}

/** Note how far an answer was drawn when the page came. */
function remember(answer: HTMLElement): void {
  if (!drawn.has(answer)) drawn.set(answer, answer.querySelector(":scope > .prose")?.innerHTML ?? "");
}

/** Show the button that stops where there is something to stop. */
export function showMood(): void {
  const stop = document.querySelector<HTMLElement>("#assistant form.stop");
  if (!stop) return;
  const writes = document.querySelector("#messages > .answer[data-open], #messages > .call[data-state=running]");
  const waits = document.querySelector("#messages > .note[data-state=open]");
  const hadFocus = stop.contains(document.activeElement);
  stop.hidden = !writes && (!waits || document.querySelector("#messages > .call.asks") !== null);
  if (hadFocus && stop.hidden) stay();
}

/** Let who pressed a button that is gone now go on from the conversation, and not from the top of the page. */
export function stay(): void {
  box()?.focus({ preventScroll: true });
}

export function isAnswering(): boolean {
  return document.querySelector<HTMLElement>("#assistant form.stop")?.hidden === false;
}

/** What the page has of its conversation, for the address of its socket. */
export function has(): Record<string, string> {
  const list = messages();
  const open = document.querySelector<HTMLElement>("#messages > .answer[data-open]");
  const found: Record<string, string> = { after: list?.dataset["last"] ?? "0", changes: list?.dataset["changes"] ?? "0" };
  if (open) found["grown"] = `${open.dataset["seq"]}.${open.dataset["grown"]}`;
  const model = byId("assistant-model")?.dataset["digest"];
  if (model) found["model"] = model;
  const talk = list?.dataset["conversation"];
  if (talk && !list?.dataset["run"]) found["talk"] = talk;
  return found;
}

/** Say which model it is now, and what happens to what is written; tell whether that is news. */
export function showModel(html: string): boolean {
  const made = element(html);
  const old = byId("assistant-model");
  if (old?.dataset["digest"] === made.dataset["digest"]) return false;
  const hadFocus = old?.contains(document.activeElement) ?? false;
  old?.replaceWith(made);
  const asks = made.dataset["asks"] !== undefined;
  const form = document.querySelector<HTMLFormElement>("#assistant form[data-note]");
  const field = form?.querySelector("textarea");
  const send = form?.querySelector(".send");
  if (!field || !send) return true;
  if (hadFocus) (made.querySelector<HTMLElement>("summary, button") ?? field).focus({ preventScroll: true });
  const says = form?.querySelector<HTMLInputElement>("input[name=_asks]");
  if (says) says.value = asks ? "1" : "";
  send.textContent = asks ? "Send" : "Add note";
  field.placeholder = asks ? "Ask, or write a note" : "Write a note";
  field.setAttribute("aria-label", asks ? "Message" : "Note");
  return true;
}

/** Show another conversation's messages, or the same one's anew. */
export function takeBox(html: string): void {
  const old = box();
  const hadFocus = old?.contains(document.activeElement) ?? false;
  old?.replaceWith(element(html));
  startTalk();
  if (hadFocus) (document.querySelector<HTMLElement>("#assistant .cleared button") ?? box())?.focus();
}

export function startTalk(): void {
  const view = box();
  if (!view) return;
  for (const each of document.querySelectorAll("#messages > .answer[data-open]")) remember(each as HTMLElement);
  follow(view);
  showBelow(false);
  showMood();
  dressAll();
  sized.disconnect();
  sized.observe(view);
  view.addEventListener("scroll", () => onScroll(view), { passive: true });
}

function onScroll(view: HTMLElement): void {
  if (view.scrollTop !== placed) follows = isFollowing(view);
  if (isAtEnd(view)) showBelow(false);
}
