// A text area for code, made into an editor with line numbers and colours. The text area keeps the value.
//
// The editor lives in a shadow root: there its styles are sheets of the document's own making, which the policy of the page
// does not have to allow, and no style of the page reaches in.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { css } from "@codemirror/lang-css";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { python } from "@codemirror/lang-python";
import { sql } from "@codemirror/lang-sql";
import { yaml } from "@codemirror/lang-yaml";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { labelOf, own, standIn } from "./fields-own";

const LANGUAGES: Record<string, () => Extension> = {
  css,
  html: () => html(),
  javascript: () => javascript({ typescript: true }),
  json,
  markdown: () => markdown(),
  python,
  sql: () => sql(),
  yaml,
};

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName)], color: "var(--code-name)" },
  { tag: [tags.className, tags.typeName, tags.tagName], color: "var(--code-type)" },
  { tag: [tags.propertyName, tags.attributeName], color: "var(--code-name)" },
  { tag: [tags.heading, tags.strong], fontWeight: "bold" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.link, color: "var(--code-string)", textDecoration: "underline" },
  { tag: tags.invalid, color: "var(--danger)" },
]);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--paper)", color: "var(--ink)", fontSize: "13px", maxHeight: "70vh" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "0" },
  ".cm-scroller": { fontFamily: "ui-monospace, Consolas, monospace", lineHeight: "1.5", overflow: "auto" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--mark)", color: "var(--ink)" },
});

// Mod-Enter sends the form, here as anywhere.
const KEYS = [...defaultKeymap.filter((each) => each.key !== "Mod-Enter"), ...historyKeymap, ...foldKeymap, indentWithTab];
const LEAVING = "Tab indents. Press Esc, then Tab, to leave the editor.";

function wordsAbout(area: HTMLTextAreaElement): string {
  const ids = (area.getAttribute("aria-describedby") ?? "").split(" ");
  const said = ids.map((id) => document.getElementById(id)?.textContent ?? "").filter(Boolean);
  return [...said, LEAVING].join(" ");
}

/** Type over what is selected. A browser that does it itself keeps the look in a style attribute, which our policy refuses. */
function replaceSelected(event: InputEvent, view: EditorView): boolean {
  const isTyped = event.inputType === "insertText" && event.data !== null && !view.composing;
  if (!isTyped || view.state.selection.main.empty) return false;
  event.preventDefault();
  const change = view.state.replaceSelection(event.data as string);
  view.dispatch(view.state.update(change, { userEvent: "input.type", scrollIntoView: true }));
  return true;
}

function extensions(area: HTMLTextAreaElement): Extension[] {
  const attributes: Record<string, string> = { "aria-label": labelOf(area), "aria-description": wordsAbout(area) };
  if (area.getAttribute("aria-invalid")) attributes["aria-invalid"] = "true";
  return [
    lineNumbers(),
    foldGutter(),
    highlightSpecialChars(),
    history(),
    drawSelection(),
    indentOnInput(),
    indentUnit.of(area.dataset["language"] === "python" ? "    " : "  "),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    syntaxHighlighting(COLOURS),
    keymap.of(KEYS),
    LANGUAGES[area.dataset["language"] ?? ""]?.() ?? [],
    LOOK,
    EditorView.contentAttributes.of(attributes),
    EditorView.domEventHandlers({ beforeinput: replaceSelected }),
    EditorView.theme({ ".cm-content, .cm-gutter": { minHeight: `${area.rows * 1.5}em` } }),
    EditorView.updateListener.of((update) => {
      if (!update.docChanged || area.value === update.state.doc.toString()) return;
      area.value = update.state.doc.toString();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }),
  ];
}

function dress(element: HTMLElement): void {
  const area = element as HTMLTextAreaElement;
  const box = own("div", "code-editor");
  const root = box.attachShadow({ mode: "open" });
  const state = EditorState.create({ doc: area.value, extensions: extensions(area) });
  const view = new EditorView({ state, root, parent: root });
  const note = document.createElement("small");
  note.className = "help";
  note.dataset["own"] = "";
  note.textContent = LEAVING;
  area.addEventListener("pipulate:filled", () => {
    const length = view.state.doc.length;
    if (view.state.doc.toString() !== area.value) view.dispatch({ changes: { from: 0, to: length, insert: area.value } });
  });
  area.after(box, note);
  standIn(area, () => view.focus());
}

(window.pipulateNeeds ??= {})["code-editor"] = dress;
