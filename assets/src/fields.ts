// What fields become with a script: a slider beside its number, a preview below Markdown, a list to search in.

import { dressMarkdown } from "./fields-markdown";
import { dressSearch } from "./fields-search";
import { dressRange } from "./fields-range";
import { dressSlider } from "./fields-slider";

(window.pipulateNeeds ??= {})["fields"] = (element) => {
  const widget = element.dataset["widget"];
  if (widget === "slider") dressSlider(element as HTMLInputElement);
  if (widget === "range-slider") dressRange(element);
  if (widget === "markdown") dressMarkdown(element as HTMLTextAreaElement);
  if (widget === "search") dressSearch(element as HTMLSelectElement);
};
