// A slider with two handles above two numbers: all say the same, and the numbers are what counts. Each handle is a slider
// of its own, so that keyboards, touch and screen readers have what they know; neither passes the other.

import { changed, own } from "./fields-own";

export function dressRange(pair: HTMLElement): void {
  const numbers = [...pair.querySelectorAll<HTMLInputElement>("input[type=number]")];
  const name = pair.closest("fieldset")?.querySelector("legend")?.firstChild?.textContent?.trim() ?? "";
  const handles = numbers.map((number) => handleOf(number, name));
  const [lower, upper] = handles;
  if (!lower || !upper) return;
  const track = own("div", "range-track");
  track.append(lower, upper);

  const follow = (): void => {
    for (const [place, number] of numbers.entries()) {
      const handle = handles[place];
      if (handle && number.value !== "" && handle.value !== number.value) handle.value = number.value;
    }
    track.style.setProperty("--from", String(share(lower)));
    track.style.setProperty("--to", String(share(upper)));
    // Where both stand at the upper end, the lower one has to be the one that can be taken hold of.
    lower.classList.toggle("above", share(lower) > 0.5);
  };
  for (const [place, number] of numbers.entries()) {
    const handle = handles[place] as HTMLInputElement;
    handle.addEventListener("input", () => {
      const other = place === 0 ? upper : lower;
      const passes = place === 0 ? Number(handle.value) > Number(other.value) : Number(handle.value) < Number(other.value);
      if (passes) handle.value = other.value;
      number.value = handle.value;
      changed(number);
      follow();
    });
    for (const type of ["input", "pipulate:filled"]) number.addEventListener(type, follow);
  }
  pair.addEventListener("pipulate:filled", follow);
  follow();
  pair.prepend(track);
}

function handleOf(number: HTMLInputElement, name: string): HTMLInputElement {
  const handle = document.createElement("input");
  handle.type = "range";
  [handle.min, handle.max, handle.step, handle.value] = [number.min, number.max, number.step, number.value];
  handle.setAttribute("aria-label", `${name} ${number.closest("label")?.firstChild?.textContent?.trim() ?? ""}`.trim());
  return handle;
}

/** Where a handle stands, from 0 to 1. */
function share(handle: HTMLInputElement): number {
  const [least, most] = [Number(handle.min), Number(handle.max)];
  return most > least ? (Number(handle.value) - least) / (most - least) : 0;
}
