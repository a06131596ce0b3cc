/** The card that submits: any action that the server tells of, with a form made from its input's schema. */

import { announce, el, freshId, problem } from "./dom.js";
import { payloadField, parsed, Unreadable } from "./form.js";
import { empty, json } from "./parts.js";
import { encode } from "./streamer.js";

export function submitCard(client, actions, submitted) {
  if (actions.length === 0) {
    const why = empty(
      "There is no action that you may submit",
      "Ask whoever gives out tokens for one with more scopes.",
    );
    return el("section", { className: "card submit", ariaLabel: "New request" }, el("h2", {}, "New request"), why);
  }
  const choice = el(
    "select",
    { id: freshId("action") },
    actions.map(({ name }) => el("option", { value: name }, name)),
  );
  const description = el("p", { className: "description" });
  const asJson = el("input", { type: "checkbox", id: freshId("as-json") });
  const holder = el("div", { className: "payload" });
  const options = optionFields();
  const outcome = el("div", { className: "outcome" });
  const button = el("button", { className: "primary" }, "Submit");
  let fields;
  let text = null; // the whole payload as JSON, when it is edited so

  const action = () => actions[choice.selectedIndex];
  const chosen = () => {
    outcome.replaceChildren();
    description.textContent = action().description;
    fields = payloadField(action().input_schema);
    text = null;
    asJson.checked = false;
    holder.replaceChildren(fields.element);
  };
  const payload = () => (text ? parsed(text, "The payload") : fields.read()) ?? null;
  const switchOver = () => {
    try {
      const value = payload();
      if (asJson.checked) {
        text = el("textarea", { rows: 8, className: "code", spellcheck: false, ariaLabel: "Payload as JSON" });
        text.value = value === null ? "" : encode(value, 2);
        holder.replaceChildren(text);
      } else {
        text = null;
        fields.write(value);
        holder.replaceChildren(fields.element);
      }
      outcome.replaceChildren();
    } catch (error) {
      asJson.checked = !asJson.checked;
      refuse(error);
    }
  };
  const refuse = (error) => {
    if (!(error instanceof Unreadable) && !error.code) console.error(error);
    const name = /^payload\.([A-Za-z0-9_.]+):/.exec(error.message)?.[1].split(".").at(-1);
    const input = error.input ?? (name && holder.querySelector(`[data-field="${CSS.escape(name)}"]`));
    input?.setAttribute("aria-invalid", "true");
    input?.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
    outcome.replaceChildren(problem(error));
    input?.focus();
  };
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    outcome.replaceChildren();
    try {
      const handle = await client.submit(action().name, payload(), { ...options.read(), onUpdate: () => {} });
      if (handle.requestId) {
        announce(`Submitted ${action().name}`);
        if (form.isConnected) submitted(handle.requestId); // not when its user has gone elsewhere meanwhile
      } else {
        outcome.replaceChildren(el("h3", {}, "Answer"), json(await handle.result()));
        announce(`${action().name} answered`);
      }
    } catch (error) {
      refuse(error);
    } finally {
      button.disabled = false;
    }
  };

  choice.addEventListener("change", chosen);
  asJson.addEventListener("change", switchOver);
  chosen();
  const form = el(
    "form",
    { className: "card submit", noValidate: true, onsubmit: submit, ariaLabel: "New request" },
    el("h2", {}, "New request"),
    el("div", { className: "field" }, el("label", { htmlFor: choice.id }, "Action"), choice),
    description,
    holder,
    el("div", { className: "field flag" }, asJson, el("label", { htmlFor: asJson.id }, "Edit the payload as JSON")),
    options.element,
    el("div", { className: "actions" }, button),
    outcome,
  );
  return form;
}

/** What a submit may say besides its payload. */
function optionFields() {
  const number = (label, attributes) => {
    const input = el("input", { type: "number", step: 1, ...attributes, id: freshId("option") });
    return { input, element: el("div", { className: "field" }, el("label", { htmlFor: input.id }, label), input) };
  };
  const priority = number("Priority, 9 is first", { min: 0, max: 9, placeholder: "5" });
  const delay = number("Start after, in seconds", { min: 0, max: 604_800, placeholder: "0" });
  const attempts = number("Attempts at most", { min: 1, max: 20 });
  const key = el("input", { type: "text", maxLength: 128, id: freshId("option"), autocomplete: "off" });
  const keyField = el("div", { className: "field" }, el("label", { htmlFor: key.id }, "Idempotency key"), key);
  const all = [priority, delay, attempts];
  return {
    element: el(
      "details",
      {},
      el("summary", {}, "Options"),
      el(
        "div",
        { className: "fields two" },
        all.map(({ element }) => element),
        keyField,
      ),
    ),
    read() {
      const bad = all.find(({ input }) => !input.checkValidity());
      if (bad) throw new Unreadable(bad.input.validationMessage, bad.input);
      const [p, d, a] = all.map(({ input }) => (input.value === "" ? undefined : Number(input.value)));
      return { priority: p, delayS: d, maxAttempts: a, idempotencyKey: key.value || undefined };
    },
  };
}
