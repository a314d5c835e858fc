// A list to search in, in the place of a long select. The select keeps all options and the choice; no more of them than
// fit are ever drawn.

import { changed, labelOf, own, standIn } from "./fields-own";

const SHOWN = 50;
const WAIT_MS = 120;

export function dressSearch(select: HTMLSelectElement): void {
  new Search(select);
}

class Search {
  readonly #input = document.createElement("input");
  readonly #list = document.createElement("ul");
  readonly #more = document.createElement("p");
  #hits: HTMLOptionElement[] = [];
  #at = -1;
  #waits = 0;

  constructor(readonly select: HTMLSelectElement) {
    const box = own("div", "search-select");
    const list = `${select.id}-list`;
    Object.assign(this.#input, { type: "text", autocomplete: "off", spellcheck: false });
    this.#input.placeholder = select.dataset["placeholder"] ?? "Type to search";
    for (const [name, value] of Object.entries({
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list,
      "aria-labelledby": `${select.id}-label`,
    })) this.#input.setAttribute(name, value);
    for (const name of ["aria-describedby", "aria-invalid", "aria-required"]) {
      const value = select.getAttribute(name);
      if (value !== null) this.#input.setAttribute(name, value);
    }
    Object.assign(this.#list, { id: list, hidden: true });
    this.#list.setAttribute("role", "listbox");
    this.#list.setAttribute("aria-label", labelOf(select));
    this.#more.className = "help";
    this.#more.setAttribute("role", "status");
    box.append(this.#input, this.#list, this.#more);
    this.#listen();
    this.#rest();
    select.after(box);
    standIn(select, () => this.#input.focus());
  }

  #listen(): void {
    this.#input.addEventListener("input", () => this.#open(this.#input.value));
    this.#input.addEventListener("click", () => this.#list.hidden && this.#open(""));
    this.#input.addEventListener("focus", () => this.#input.select());
    this.#input.addEventListener("blur", () => this.#leave());
    this.#input.addEventListener("keydown", (event) => this.#press(event));
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault()); // The focus stays where it is.
    this.#list.addEventListener("click", (event) => {
      const line = (event.target as Element).closest<HTMLElement>("[role=option]");
      if (line) this.#choose(this.#hits[Number(line.dataset["index"])]);
    });
    this.select.addEventListener("pipulate:filled", () => this.#list.hidden && this.#rest());
  }

  /** Show what is chosen, and no list. */
  #rest(): void {
    const chosen = this.select.selectedOptions[0];
    this.#input.value = chosen && chosen.value !== "" ? chosen.label : "";
    this.#list.hidden = true;
    this.#more.textContent = "";
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  #open(words: string): void {
    if (this.select.dataset["source"]) this.#ask(words);
    this.#offer(words);
  }

  /** Let the server find more than what is here; what has come is shown where nothing else was typed meanwhile. */
  #ask(words: string): void {
    clearTimeout(this.#waits);
    this.#waits = window.setTimeout(async () => {
      const address = `${this.select.dataset["source"]}?${new URLSearchParams({ find: words })}`;
      const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
      if (!answer?.ok || (words && this.#input.value !== words)) return;
      const found = (await answer.json()) as { value: string; label: string }[];
      const there = new Set([...this.select.options].map((option) => option.value));
      for (const each of found) {
        if (!there.has(each.value)) this.select.add(new Option(each.label, each.value));
      }
      if (document.activeElement === this.#input) this.#offer(words);
    }, words ? WAIT_MS : 0);
  }

  #offer(words: string): void {
    const wanted = words.trim().toLocaleLowerCase();
    const all = [...this.select.options].filter((option) => option.value !== "");
    const hits = all.filter((option) => option.label.toLocaleLowerCase().includes(wanted));
    const begins = (option: HTMLOptionElement): number => Number(!option.label.toLocaleLowerCase().startsWith(wanted));
    if (wanted) hits.sort((a, b) => begins(a) - begins(b)); // The order is kept otherwise: sorting is stable.
    this.#hits = hits.slice(0, SHOWN);
    this.#list.replaceChildren(...this.#hits.map((option, index) => this.#line(option, index)));
    this.#list.hidden = this.#hits.length === 0;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
    const left = hits.length - this.#hits.length;
    this.#more.textContent = hits.length === 0 ? "Nothing fits." : left ? `${left} more; type to narrow it down.` : "";
    this.#move(wanted ? 0 : Math.max(0, this.#hits.indexOf(this.select.selectedOptions[0] as HTMLOptionElement)));
  }

  #line(option: HTMLOptionElement, index: number): HTMLElement {
    const line = document.createElement("li");
    line.id = `${this.select.id}-option-${index}`;
    line.dataset["index"] = String(index);
    line.setAttribute("role", "option");
    line.dir = "auto";
    line.textContent = option.label;
    return line;
  }

  #move(to: number): void {
    const lines = [...this.#list.children] as HTMLElement[];
    this.#at = Math.max(0, Math.min(to, lines.length - 1));
    for (const [index, line] of lines.entries()) line.setAttribute("aria-selected", String(index === this.#at));
    const line = lines[this.#at];
    if (!line) return this.#input.removeAttribute("aria-activedescendant");
    this.#input.setAttribute("aria-activedescendant", line.id);
    line.scrollIntoView({ block: "nearest" });
  }

  #press(event: KeyboardEvent): void {
    const isOpen = !this.#list.hidden;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (isOpen) this.#move(this.#at + step);
      else this.#open("");
    } else if (event.key === "Enter" && isOpen && !event.ctrlKey && !event.metaKey) {
      event.preventDefault(); // It chooses; the form is sent by the next one.
      this.#choose(this.#hits[this.#at]);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.#rest();
    }
  }

  #choose(option: HTMLOptionElement | undefined): void {
    if (!option) return;
    this.select.value = option.value;
    changed(this.select);
    this.#rest();
  }

  /** An emptied field chooses nothing, where that is a choice; anything else that was typed and not chosen is undone. */
  #leave(): void {
    const blank = [...this.select.options].find((option) => option.value === "");
    if (this.#input.value.trim() === "" && blank && this.select.value !== "") this.#choose(blank);
    else this.#rest();
  }
}
