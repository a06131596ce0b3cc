/** What a number field of the console's forms holds, as a number. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { asNumber } from "../../console/form.js";

// What an input of the type number takes: HTML's valid floating-point numbers, of which JSON's are not all.
const TAKEN = [
  [".5", 0.5],
  ["-.5e1", -5],
  ["007", 7],
  ["-00.25", -0.25],
  ["0", 0],
  ["000", 0],
  ["1e3", 1000],
  ["0.10", 0.1],
  ["0009007199254740993", 9007199254740993n],
];

for (const [text, value] of TAKEN) {
  test(`${text} is ${value}`, () => assert.equal(asNumber(text), value));
}
