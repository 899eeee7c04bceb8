import { call, refresh } from "/static/api.js";

const form = document.getElementById("form");
const problem = document.getElementById("problem");

/** Where to go afterwards: a path of this site alone; `/.//x` is one, and becomes //x, another site. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const url = new URL(wanted, location.origin);
  const stays = url.origin === location.origin && !url.pathname.startsWith("//");
  return stays ? url.pathname + url.search : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const who = { name: form.elements.name.value, password: form.elements.password.value };
  try {
    if (event.submitter?.value === "register") await call("POST", "/auth/register", who);
    await call("POST", "/auth/login", { ...who, cookies: true });
    location.assign(next());
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
});

// Someone whose login can be renewed needn't type.
if (await refresh().catch(() => false)) location.replace(next());
