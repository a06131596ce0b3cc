/** A client for a view alone: what it is asked is in `asked`, each with `give` and `fail` for the test to answer it. */
() => {
  const told = new EventTarget();
  globalThis.asked = [];
  globalThis.client = new Proxy(told, {
    get: (_, name) =>
      name in told
        ? told[name].bind(told)
        : (...about) => new Promise((give, fail) => globalThis.asked.push({ name, about, give, fail })),
  });
};
