/** Building the page. Text is only ever inserted as text: there is no way from here to markup. */

/** An element with properties and children; a child that is no node becomes text, one that is null nothing. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(made.dataset, value);
    else if (key in made && key !== "list" && key !== "form") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for a drawing. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children.flat(Infinity));
  return made;
}

/** Say something to who cannot see it. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}

let ids = 0;

/** An id that no other element has. */
export function freshId(stem) {
  return `${stem}-${++ids}`;
}

/** Run work at most once in so many milliseconds, the last call always. */
export function throttled(ms, work) {
  let timer = null;
  let last = -Infinity;
  const run = () => {
    timer = null;
    last = performance.now();
    work();
  };
  const call = () => {
    timer ??= setTimeout(run, Math.max(0, last + ms - performance.now()));
  };
  call.stop = () => clearTimeout(timer);
  return call;
}

/** An error as a person reads it, for the page. */
export function problem(error) {
  const code = error.code ? el("code", {}, error.code) : null;
  return el("p", { className: "problem", role: "alert" }, code, code ? " " : null, error.message || String(error));
}
