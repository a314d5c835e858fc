// Builds the front-end files: one script, one style sheet, one icon, each named by its content and packed beforehand.
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "src", "pipulate", "web", "static");

const result = await build({
  entryPoints: [join(here, "src", "app.ts"), join(here, "src", "app.css")],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  outdir: target,
  write: false,
  legalComments: "none",
  logLevel: "warning",
});

const files = result.outputFiles.map((file) => [basename(file.path), Buffer.from(file.contents)]);
files.push(["icon.svg", await readFile(join(here, "src", "icon.svg"))]);

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const manifest = {};
for (const [name, content] of files) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const hashed = `${basename(name, extname(name))}-${hash}${extname(name)}`;
  manifest[name] = hashed;
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  await writeFile(join(target, hashed), content);
  await writeFile(join(target, `${hashed}.br`), brotli);
  await writeFile(join(target, `${hashed}.gz`), gzipSync(content, { level: 9 }));
  console.log(`${name.padEnd(10)} ${String(content.length).padStart(8)} bytes, ${brotli.length} packed`);
}
// Last, because its presence says that everything else is there.
await writeFile(join(target, "manifest.json"), JSON.stringify(manifest, null, 1));
