// A slider in front of a number: both say the same, and the number is what counts.

import { changed, own } from "./fields-own";

export function dressSlider(number: HTMLInputElement): void {
  const range = own("input", "slider");
  range.type = "range";
  [range.min, range.max, range.step] = [number.min, number.max, number.step];
  range.setAttribute("aria-labelledby", `${number.id}-label`);
  const follow = (): void => {
    if (number.value !== "" && range.value !== number.value) range.value = number.value;
  };
  follow();
  range.addEventListener("input", () => {
    number.value = range.value;
    changed(number);
  });
  for (const type of ["input", "pipulate:filled"]) number.addEventListener(type, follow);
  number.before(range);
}
