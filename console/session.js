/** Who is signed in: the token lives as long as this tab does, and what it claims is only for show. */

const KEPT = "streamer-token";

export function keptToken() {
  return sessionStorage.getItem(KEPT);
}

export function keep(token) {
  sessionStorage.setItem(KEPT, token);
}

export function forget() {
  sessionStorage.removeItem(KEPT);
}

/** What a token says about its bearer; the server alone decides whether that is true. An Error when it is no token. */
export function claimsOf(token) {
  const parts = token.split(".");
  let claims;
  try {
    const bytes = Uint8Array.from(atob(parts[1].replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new Error("This is not a token: three parts of letters and digits, with dots between them", { cause: error });
  }
  const { tenant_id: tenant, sub: user, scope = "", exp } = claims;
  if (parts.length !== 3 || !tenant || !user) throw new Error("This token names no user of a tenant");
  if (exp * 1000 <= Date.now()) throw new Error(`This token ended ${new Date(exp * 1000).toLocaleString()}`);
  const scopes = String(scope).split(" ");
  return { tenant, user, endsAt: new Date(exp * 1000), seesTenant: scopes.includes("tenant:read") };
}
