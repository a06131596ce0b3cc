/** The type declarations are of what there is, and their users compile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import * as streamer from "../../console/streamer.js";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const options = {
  strict: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  types: [],
};
const program = ts.createProgram([here("usage.ts"), here("../../console/streamer.d.ts")], options);
const checker = program.getTypeChecker();
const module = checker.getSymbolAtLocation(program.getSourceFile(here("../../console/streamer.d.ts")));
const exported = new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));

test("what uses the client compiles, and what misuses it does not", () => {
  const found = ts.getPreEmitDiagnostics(program);
  assert.deepEqual(
    found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
    [],
  );
});

test("every value that is exported is declared, and the other way round", () => {
  const values = [...exported].filter(([, symbol]) => symbol.flags & ts.SymbolFlags.Value).map(([name]) => name);
  assert.deepEqual(values.sort(), Object.keys(streamer).sort());
});

for (const name of ["StreamerClient", "Tail", "Update"]) {
  test(`every public member of ${name} is declared`, () => {
    const type = checker.getDeclaredTypeOfSymbol(exported.get(name));
    const declared = new Set(checker.getPropertiesOfType(type).map((symbol) => symbol.name));
    const there = Object.getOwnPropertyNames(streamer[name].prototype).filter((one) => !/^_|^constructor$/.test(one));
    assert.deepEqual(
      there.filter((one) => !declared.has(one)),
      [],
    );
  });
}
