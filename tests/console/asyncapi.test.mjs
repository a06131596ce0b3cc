/** docs/asyncapi.json is a valid AsyncAPI 3 document, and its schemas take what the protocol sends. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import Ajv from "ajv";
import formats from "ajv-formats";

const require = createRequire(import.meta.url);
const document = require("../../docs/asyncapi.json");
const rules = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");

function checker(options = {}) {
  const ajv = new Ajv({ strict: false, allErrors: true, ...options });
  formats(ajv);
  return ajv;
}

const validate = checker().compile(rules);

test("it is valid by AsyncAPI's own schema", () => {
  assert.ok(validate(document), JSON.stringify(validate.errors?.slice(0, 5), null, 2));
});

test("a document that is not is found out", () => {
  assert.ok(!validate({ ...document, channels: { socket: { address: 7 } } }));
  const { info: _, ...nameless } = document;
  assert.ok(!validate(nameless));
});

const frames = checker().addSchema({ $id: "protocol", ...document });
const fits = (name, frame) => frames.validate({ $ref: `protocol#/components/schemas/${name}` }, frame);

test("its schemas take frames as they are, and no others", () => {
  assert.ok(fits("Submit", { type: "submit", action: "echo", payload: { n: 1 }, priority: 9 }));
  assert.ok(!fits("Submit", { type: "submit", action: "echo", priority: 10 }));
  assert.ok(!fits("Submit", { type: "submit", action: "echo", urgency: 1 }));
  assert.ok(fits("Ack", { type: "ack", id: "1", request_id: "r", status: "PENDING", version: 1 }));
  assert.ok(!fits("Ack", { type: "ack", request_id: "r", status: "LOST", version: 1 }));
  assert.ok(fits("Error", { type: "error", code: "NOT_FOUND", message: "No such request" }));
});
