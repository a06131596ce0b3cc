/** The parts that several views show: a status, a progress bar, a value, a way to cancel. */

import { announce, el } from "./dom.js";
import { percent, words } from "./format.js";
import { encode } from "./streamer.js";

export const FINAL = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

export function badge(state) {
  const stopping = state.cancel_requested && !FINAL.has(state.status);
  const status = stopping ? "STOPPING" : (state.status ?? "UNKNOWN");
  return el("span", { className: "badge", dataset: { status } }, words(status));
}

/** A bar that can be told the next state. */
export function bar(label) {
  const progress = el("progress", { max: 100, value: 0, ariaLabel: label });
  const number = el("span", { className: "number" });
  const element = el("div", { className: "bar" }, progress, number);
  return {
    element,
    show(state) {
      const waiting = state.status === "PENDING";
      progress.value = state.status === "COMPLETED" ? 100 : (state.percent ?? 0);
      progress.dataset.status = state.status ?? "";
      number.textContent = waiting ? "" : percent(progress.value);
    },
  };
}

/** A JSON value, laid out. */
export function json(value) {
  return el("pre", { tabIndex: 0 }, encode(value, 2));
}

/** A button that asks a request to stop, once. */
export function cancelButton(client, requestId, name) {
  const button = el("button", { className: "quiet danger", type: "button", ariaLabel: `Cancel ${name}` }, "Cancel");
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    button.disabled = true;
    try {
      await client.cancel(requestId, "cancelled in the console");
      announce(`Asked ${name} to stop`);
    } catch (error) {
      announce(`Not cancelled: ${error.message}`);
      button.title = error.message;
      button.disabled = error.code === "ALREADY_FINAL";
    }
  });
  return button;
}

export function empty(title, ...told) {
  return el("div", { className: "empty" }, el("strong", {}, title), ...told.map((text) => el("p", {}, text)));
}
