// Builds the front-end files, each named by its content and packed beforehand: what every page loads (`app`), what
// pages of class-style apps load besides (`explicit`), the libraries those fetch when something uses them, and what
// fields for files need (`upload`).
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "src", "pipulate", "web", "static");
const sources = {
  "app.css": "app.css",
  "explicit.js": "explicit.ts",
  "explicit.css": "explicit.css",
  "explicit-sandbox.js": "explicit-sandbox.ts",
  "marked.js": "explicit-marked.ts",
  "mermaid.js": "explicit-mermaid.ts",
  "prism.js": "explicit-prism.ts",
  "frame.js": "drawing-frame.ts",
};

// What `data-needs` on an element names, without the ending; `needs.ts` fetches it when it is on a page.
const onNeed = {
  "code.css": "code.css",
  "code.js": "code.ts",
  "drawing.js": "drawing.ts",
  "code-editor.css": "code-editor.css",
  "code-editor.js": "code-editor.ts",
  "fields.css": "fields.css",
  "fields.js": "fields.ts",
  "reports.css": "reports.css",
  "reports.js": "reports.ts",
  "records.css": "records.css",
  "records.js": "records.ts",
  "upload.js": "upload.ts",
};

async function built(entries, define = {}) {
  const result = await build({
    entryPoints: Object.entries(entries).map(([name, source]) => ({
      in: join(here, "src", source),
      out: basename(name, extname(name)),
    })),
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    outdir: target,
    write: false,
    legalComments: "none",
    logLevel: "warning",
    define,
  });
  return result.outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]);
}

function hashed(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  return `${basename(name, extname(name))}-${hash}${extname(name)}`;
}

const needed = await built(onNeed);
// The script of every page knows where the others are, so no page has to say it.
const addresses = Object.fromEntries(needed.map(([name, content]) => [name, `/-/static/${hashed(name, content)}`]));
const files = [
  ...needed,
  ...(await built(sources)),
  ...(await built({ "app.js": "app.ts" }, { NEEDS: JSON.stringify(addresses) })),
];
files.push(["icon.svg", await readFile(join(here, "src", "icon.svg"))]);

const manifest = {};
const written = new Map();
const pack = { brotli: promisify(brotliCompress), gzip: promisify(gzip) };
const best = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
await Promise.all(
  files.map(async ([name, content]) => {
    const file = hashed(name, content);
    const [brotli, gzipped] = await Promise.all([pack.brotli(content, best), pack.gzip(content, { level: 9 })]);
    manifest[name] = file;
    written.set(file, content).set(`${file}.br`, brotli).set(`${file}.gz`, gzipped);
    console.log(`${name.padEnd(20)} ${String(content.length).padStart(8)} bytes, ${brotli.length} packed`);
  }),
);

await mkdir(target, { recursive: true });
for (const [name, content] of written) await writeFile(join(target, name), content);
// Last, because its presence says that everything else is there; only then what an earlier build left may go.
const sorted = Object.fromEntries(Object.entries(manifest).sort());
await writeFile(join(target, "manifest.json"), JSON.stringify(sorted, null, 1));
for (const name of await readdir(target)) {
  if (!written.has(name) && name !== "manifest.json") await rm(join(target, name), { recursive: true });
}
