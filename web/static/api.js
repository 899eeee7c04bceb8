// The API as pages use it: cookies carry the login, a header proves that it is us who asks.

const PREFIX = "/api/v1";

/** An answer that says what went wrong, in words for people. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? "Something went wrong; try again.");
    this.status = status;
    this.code = body.code;
  }
}

/** Give a cookie's value; over HTTPS its name has a prefix. */
function cookie(name) {
  const pairs = document.cookie.split("; ");
  const found = pairs.find((pair) => pair.startsWith(`__Host-${name}=`) || pair.startsWith(`${name}=`));
  return found ? found.slice(found.indexOf("=") + 1) : "";
}

/** Headers for a request that changes something. */
export function proof(name = "ns_csrf") {
  return { "X-CSRF-TOKEN": cookie(name) };
}

async function send(method, path, body, csrf) {
  const headers = method === "GET" ? {} : proof(csrf);
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(PREFIX + path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem(0, { code: "offline", detail: "The server can't be reached just now." });
  }
}

async function read(response) {
  if (response.status === 204) return null;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

/** Tell whether there may be a login; without one, asking the API would only give a 401. */
export function hasLogin() {
  return Boolean(cookie("ns_csrf") || cookie("ns_refresh_csrf"));
}

let refreshing = null;

/** Get a new access token, once for all that ask at the same time; tell whether there is one. */
export function refresh() {
  if (!cookie("ns_refresh_csrf")) return Promise.resolve(false);
  refreshing ??= send("POST", "/auth/refresh", undefined, "ns_refresh_csrf")
    .then((response) => response.ok)
    .finally(() => { refreshing = null; });
  return refreshing;
}

/** Call the API; refreshes the login once, and throws a Problem. */
export async function call(method, path, body) {
  let response = await send(method, path, body);
  if (response.status === 401 && !path.startsWith("/auth/login") && await refresh()) {
    response = await send(method, path, body);
  }
  return read(response);
}

/** Go to the login page, and come back here afterwards. */
export function logIn() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}

/** Show who is logged in, in the page's head; gives the account, or null. */
export async function greet() {
  const at = (id) => document.getElementById(id);
  at("log-out").addEventListener("click", async () => {
    await call("POST", "/auth/logout");
    location.assign("/login");
  });
  if (!hasLogin()) { at("log-in").hidden = false; return null; }
  try {
    const account = await call("GET", "/auth/me");
    at("name").textContent = account.name;
    at("log-out").hidden = false;
    at("name").hidden = false;
    for (const id of ["flower", "operators"]) if (at(id)) at(id).hidden = account.role !== "operator";
    return account;
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    at("log-in").hidden = false;
    return null;
  }
}
