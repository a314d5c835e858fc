// Diagrams. What people typed is drawn strictly (no links, no markup, no scripts), whatever a plugin asks for.

import mermaid, { type MermaidConfig } from "mermaid";

export interface MermaidGlobal extends Pick<typeof mermaid, "initialize" | "init" | "run" | "render" | "parse"> {}

const OF_PLUGINS = ["base", "forest", "neutral"]; // The other two are for light and for dark pages: that is ours to know.

function initialize(config: MermaidConfig = {}): void {
  const style = getComputedStyle(document.body);
  const isDark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  const own = OF_PLUGINS.includes(config.theme ?? "") ? config.theme : undefined;
  mermaid.initialize({
    fontFamily: style.fontFamily,
    ...config,
    theme: own ?? (isDark ? "dark" : "default"),
    startOnLoad: false,
    suppressErrorRendering: true,
    securityLevel: "strict",
    secure: ["secure", "securityLevel", "startOnLoad", "maxTextSize", "suppressErrorRendering", "maxEdges"],
  });
}

initialize();

window.mermaid = {
  initialize,
  init: (config, nodes, callback) => {
    if (config) initialize(config);
    return mermaid.init(undefined, nodes, callback);
  },
  run: mermaid.run,
  render: mermaid.render,
  parse: mermaid.parse,
};
