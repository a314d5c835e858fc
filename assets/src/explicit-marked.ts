// Markdown to markup, made safe: what comes out can neither run code, send a form, nor pass for a part of the page.

import DOMPurify from "dompurify";
import { marked, type MarkedOptions } from "marked";

export interface MarkedGlobal {
  parse: (markdown: string, options?: MarkedOptions) => string;
  parseInline: (markdown: string, options?: MarkedOptions) => string;
  setOptions: (options: MarkedOptions) => void;
}

const RULES = {
  USE_PROFILES: { html: true },
  ALLOW_DATA_ATTR: false, // Scripts of ours and htmx take orders from them.
  FORBID_TAGS: ["button", "dialog", "form", "select", "style", "textarea"],
  FORBID_ATTR: ["form", "id", "name", "style"],
};

window.marked = {
  parse: (markdown, options) => DOMPurify.sanitize(marked.parse(markdown, { ...options, async: false }), RULES),
  parseInline: (markdown, options) =>
    DOMPurify.sanitize(marked.parseInline(markdown, { ...options, async: false }), RULES),
  setOptions: (options) => void marked.setOptions({ ...options, async: false }),
};
