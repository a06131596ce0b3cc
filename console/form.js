/**
 * A form for a JSON schema, as pydantic writes them: objects, lists, choices, texts, numbers, dates; what is none of
 * these is edited as JSON. A field is {element, read(), write(value)}; what is left empty and may be is left out.
 */

import { el, freshId } from "./dom.js";
import { words } from "./format.js";
import { decode, encode } from "./streamer.js";

const ABSENT = undefined;

/** What is wrong with what was entered, and where. */
export class Unreadable extends Error {
  constructor(message, input) {
    super(message);
    this.input = input;
  }
}

/** The form for a whole payload. */
export function payloadField(schema) {
  return field(schema, { root: schema, name: "payload", title: "Payload", required: true, top: true, within: [] });
}

function field(schema, about) {
  schema = resolved(schema, about.root);
  const { kinds, nullable } = alternatives(schema, about.root);
  const [kind] = kinds;
  const here = { ...about, required: about.required && !nullable, fallback: schema.default };
  // A record within itself would be a form without an end.
  if (kinds.some((one) => about.within.includes(one.properties))) return raw(here);
  if (kinds.length > 1) return kinds.every(isVariant) ? variants(schema, kinds, here) : scalar(schema, kinds, here);
  if ("const" in kind) return constant(kind.const);
  if (kind.enum) return choice(kind, here);
  switch (kind.type) {
    case "object":
      return kind.properties ? record(kind, here) : raw(here);
    case "array":
      return list(kind, here);
    case "boolean":
      return flag(kind, here);
    case "integer":
    case "number":
    case "string":
      return scalar({ ...schema, ...kind }, kinds, here);
    default:
      return raw(here);
  }
}

function resolved(schema, root) {
  if (!schema.$ref) return schema;
  const [, ...path] = schema.$ref.split("/"); // none in "#", which is the whole
  const target = path.reduce((at, key) => at[key], root);
  const { $ref, ...beside } = schema;
  return { ...resolved(target, root), ...beside };
}

function alternatives(schema, root) {
  const all = (schema.oneOf ?? schema.anyOf ?? [schema]).map((one) => resolved(one, root));
  const kinds = all.filter((one) => one.type !== "null");
  return { kinds: kinds.length > 0 ? kinds : [{}], nullable: kinds.length < all.length };
}

function isVariant(kind) {
  return kind.type === "object" && kind.properties;
}

// --- fields -------------------------------------------------------------------------------------------------------

function labelled(input, about, hint) {
  input.id = freshId(about.name);
  input.dataset.field = about.name;
  const note = hint ? el("small", { id: `${input.id}-hint` }, hint) : null;
  if (note) input.setAttribute("aria-describedby", note.id);
  const optional = about.required || about.fallback != null ? null : el("span", { className: "optional" }, " optional");
  return el("div", { className: "field" }, el("label", { htmlFor: input.id }, about.title, optional), input, note);
}

function scalar(schema, kinds, about) {
  const types = new Set(kinds.map((kind) => kind.type));
  const mixed = types.size > 1;
  const isNumber = !mixed && (types.has("number") || types.has("integer"));
  const isTime = schema.format === "date-time";
  const longest = Math.max(...kinds.map((kind) => kind.maxLength ?? Infinity));
  const input =
    isNumber || isTime || mixed || longest <= 1024
      ? el("input", { type: isTime ? "datetime-local" : isNumber ? "number" : "text", autocomplete: "off" })
      : el("textarea", { rows: 2, spellcheck: false });
  if (isNumber) setAll(input, { min: schema.minimum, max: schema.maximum, step: types.has("integer") ? 1 : "any" });
  if (isTime) input.step = 1;
  if (Number.isFinite(longest)) input.maxLength = longest;
  if (about.required && (schema.minLength > 0 || isNumber || isTime)) input.required = true;
  const write = (value) => {
    if (value === null || value === ABSENT) input.value = "";
    else input.value = isTime ? localTime(new Date(value)) : typeof value === "string" ? value : encode(value);
  };
  write(schema.default);
  return {
    element: labelled(input, about, isTime ? "In this browser's time zone" : limits(schema, isNumber)),
    write,
    read() {
      if (!input.checkValidity()) throw new Unreadable(`${about.title}: ${input.validationMessage}`, input);
      if (input.value === "") return about.required && types.has("string") ? "" : ABSENT;
      if (isTime) return new Date(input.value).toISOString();
      if (isNumber) return asNumber(input.value);
      const number = mixed && (types.has("number") || types.has("integer"));
      return number && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(input.value) ? decode(input.value) : input.value;
    },
  };
}

/** The number that a number field holds: it takes .5 and 007, which are no JSON. */
export function asNumber(text) {
  return decode(text.replace(/^(-?)0+(?=\d)/, "$1").replace(/^(-?)(?=\.)/, (sign) => `${sign}0`));
}

function limits(schema, isNumber) {
  const { minimum: from, maximum: to, description } = schema;
  if (!isNumber || (from === undefined && to === undefined)) return description ?? null;
  if (from !== undefined && to !== undefined) return `${from} to ${to}`;
  return to === undefined ? `${from} or more` : `at most ${to}`;
}

function setAll(input, attributes) {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) input[name] = value;
}

function localTime(date) {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}

function flag(schema, about) {
  const input = el("input", { type: "checkbox", checked: schema.default ?? false, id: freshId(about.name) });
  input.dataset.field = about.name;
  return {
    element: el("div", { className: "field flag" }, input, el("label", { htmlFor: input.id }, about.title)),
    read: () => input.checked,
    write: (value) => {
      input.checked = value === true;
    },
  };
}

function choice(schema, about) {
  const values = about.required || schema.default !== undefined ? schema.enum : [ABSENT, ...schema.enum];
  const input = el(
    "select",
    {},
    values.map((value, index) => el("option", { value: index }, value === ABSENT ? "" : String(value))),
  );
  const write = (value) => {
    input.selectedIndex = Math.max(0, values.indexOf(value ?? ABSENT));
  };
  write(schema.default);
  return { element: labelled(input, about), read: () => values[input.selectedIndex], write };
}

function constant(value) {
  return { element: el("span", { hidden: true }), read: () => value, write: () => {} };
}

function raw(about) {
  const input = el("textarea", { rows: 3, spellcheck: false, placeholder: "JSON", className: "code" });
  return {
    element: labelled(input, about, "Any JSON value"),
    write: (value) => {
      input.value = value === ABSENT ? "" : encode(value, 2);
    },
    read: () => parsed(input, about.title),
  };
}

/** The JSON in a text field; nothing when it is empty. */
export function parsed(input, title) {
  if (input.value.trim() === "") return ABSENT;
  try {
    return decode(input.value);
  } catch (error) {
    throw new Unreadable(`${title} is not JSON: ${error.message}`, input);
  }
}

function record(schema, about) {
  const required = new Set(schema.required ?? []);
  const within = [...about.within, schema.properties];
  const fields = Object.entries(schema.properties).map(([name, one]) => {
    const title = one.title && one.title !== name ? words(one.title) : words(name);
    return [name, field(one, { ...about, name, title, required: required.has(name), top: false, within })];
  });
  const elements = fields.map(([, one]) => one.element);
  return {
    element: about.top
      ? el("div", { className: "fields" }, elements)
      : el("fieldset", {}, el("legend", {}, about.title), elements),
    read() {
      const values = fields.map(([name, one]) => [name, one.read()]).filter(([, value]) => value !== ABSENT);
      return Object.fromEntries(values);
    },
    write(value) {
      for (const [name, one] of fields) if (value && name in value) one.write(value[name]);
    },
  };
}

function list(schema, about) {
  const rows = [];
  const holder = el("div", { className: "rows" });
  const singular = about.title.replace(/s$/, "");
  const renumber = () => {
    rows.forEach((row, index) => (row.legend.textContent = `${singular} ${index + 1}`));
    add.disabled = rows.length >= (schema.maxItems ?? Infinity);
  };
  const remove = (row) => {
    rows.splice(rows.indexOf(row), 1);
    row.element.remove();
    renumber();
    add.focus();
  };
  const append = (within) => {
    const inner = field(schema.items ?? {}, { ...about, title: singular, required: true, top: true, within });
    const label = inner.element.matches(".field:not(.flag)") ? inner.element.querySelector("label") : null;
    const row = { inner, legend: label ?? el("legend") };
    const button = el("button", { type: "button", className: "quiet", onclick: () => remove(row) }, "Remove");
    row.element = label
      ? el("div", { className: "row" }, inner.element, button)
      : el("fieldset", {}, row.legend, inner.element, button);
    rows.push(row);
    holder.append(row.element);
    renumber();
    return row;
  };
  const add = el("button", { type: "button", className: "quiet" }, `Add ${singular.toLowerCase()}`);
  add.addEventListener("click", () => append([]).element.querySelector("input, select, textarea")?.focus());
  for (let n = 0; n < (about.required ? (schema.minItems ?? 0) : 0); n++) append(about.within);
  return {
    element: el("fieldset", {}, el("legend", {}, about.title), holder, add),
    read: () => (rows.length === 0 && !about.required ? ABSENT : rows.map((row) => row.inner.read())),
    write(values) {
      for (const row of [...rows]) remove(row);
      for (const value of Array.isArray(values) ? values : []) append([]).inner.write(value);
    },
  };
}

/** One of several records, told apart by a field with a constant. */
function variants(schema, kinds, about) {
  const tag = schema.discriminator?.propertyName;
  const names = kinds.map((kind) => String(kind.properties[tag]?.const ?? kind.title));
  const select = el(
    "select",
    {},
    names.map((name, index) => el("option", { value: index }, words(name))),
  );
  const holder = el("div", { className: "fields" });
  let inner;
  const choose = () => {
    inner = field(kinds[select.selectedIndex], { ...about, top: true });
    holder.replaceChildren(inner.element);
  };
  select.addEventListener("change", choose);
  choose();
  return {
    element: el("div", { className: "fields" }, labelled(select, { ...about, title: words(tag ?? "kind") }), holder),
    read: () => inner.read(),
    write(value) {
      select.selectedIndex = Math.max(0, names.indexOf(String(value?.[tag])));
      choose();
      inner.write(value);
    },
  };
}
