/** Integers keep their value in both directions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../../console/streamer.js";

const TEXTS = [
  "9007199254740993",
  "-9007199254740993",
  "1180591620717411303424",
  '{"a":[1,9007199254740993,{"b":123456789012345678901234567890}],"c":"9007199254740993"}',
  '{"9007199254740993":"\\"9007199254740993","text":"a \\\\ 9007199254740993 \\" b"}',
  "[0.5,1,-1,true,null]",
];

for (const text of TEXTS) {
  test(`it is written as it was read: ${text.slice(0, 40)}`, () => assert.equal(encode(decode(text)), text));
}

test("an integer that a double can hold stays a number", () => {
  assert.equal(decode("9007199254740991"), 9007199254740991);
  assert.equal(decode('{"hash":"0123456789012345678","n":1}').n, 1);
});

test("an integer beyond is a BigInt, and so is what is sent", () => {
  assert.equal(decode("[9007199254740993]")[0], 9007199254740993n);
  assert.equal(encode({ big: 2n ** 70n, text: "2n" }), '{"big":1180591620717411303424,"text":"2n"}');
});

test("a decimal is the nearest double", () => {
  assert.equal(decode("0.1000000000000000000001"), 0.1);
  assert.equal(decode("1e20"), 1e20);
});

test("what is no JSON is refused", () => {
  for (const text of ["", "{", "12345678901234567890x", "[1234567890123456,]"]) assert.throws(() => decode(text));
});

test("what has no JSON form is null", () => assert.equal(encode(undefined), "null"));
