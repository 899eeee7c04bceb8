import { call, greet, logIn } from "/static/api.js";
import { button, row, tell } from "/static/tables.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
const when = (text) => (text ? words.when(text) : "never");

function say(text) {
  at("done").textContent = text;
  at("done").hidden = !text;
}

async function showSessions() {
  const { items } = await call("GET", "/auth/sessions");
  at("sessions").replaceChildren(...items.map((each) => row(
    each.user_agent ?? "unknown", each.address ?? "unknown", when(each.created_at), when(each.used_at),
    each.current ? "this one" : button("End", () => end(each)))));
}

async function end(session) {
  await tell(() => call("DELETE", `/auth/sessions/${session.id}`));
  await tell(showSessions);
}

async function showKeys() {
  const { items } = await call("GET", "/auth/keys");
  at("keys").replaceChildren(...items.map((each) => row(
    each.name, each.scopes.join(", "), when(each.created_at), when(each.expires_at), when(each.used_at),
    button("Revoke", () => revoke(each)))));
}

async function revoke(key) {
  await tell(() => call("DELETE", `/auth/keys/${key.id}`));
  await tell(showKeys);
}

function offer(scopes) {
  const choices = scopes.filter((scope) => scope !== "account").map((scope) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.name = "scope";
    box.value = scope;
    label.append(box, scope);
    return label;
  });
  at("scopes").append(...choices);
}

at("password").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { current, new: next } = at("password").elements;
  const done = await tell(() => call("POST", "/auth/password", { current: current.value, new: next.value }));
  say(done ? "The password is changed; your other sessions have ended." : "");
  if (!done) return;
  at("password").reset();
  await tell(showSessions);
});

at("key").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(at("key"));
  const days = form.get("days") ? Number(form.get("days")) : null;
  const wish = { name: form.get("name"), scopes: form.getAll("scope"), expires_in_days: days };
  const made = await tell(() => call("POST", "/auth/keys", wish));
  at("made").hidden = !made;
  at("secret").textContent = made?.key ?? "";
  if (!made) return;
  at("key").reset();
  await tell(showKeys);
});

at("everywhere").addEventListener("click", async () => {
  if (await tell(() => call("DELETE", "/auth/sessions"))) location.assign("/login");
});

const account = await tell(greet);
if (account === null) logIn();
else if (account) {
  at("password").elements.name.value = account.name;
  offer(account.scopes);
  await tell(() => Promise.all([showSessions(), showKeys()]));
}
