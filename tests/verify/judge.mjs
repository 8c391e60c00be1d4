// Judges many proof files with the second verifier: reads lines of JSON, and prints a verdict for each.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { verify } = await import(pathToFileURL(process.argv[2]).href);
for await (const line of createInterface({ input: process.stdin })) {
  const { file, keys, options } = JSON.parse(line);
  const { verdict } = await verify(Uint8Array.from(atob(file), (symbol) => symbol.charCodeAt(0)), keys, options);
  console.log(verdict);
}
