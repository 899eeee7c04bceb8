import { call, greet, logIn } from "/static/api.js";
import { button, row, tell } from "/static/tables.js";
import * as words from "/static/words.js";

const at = (id) => document.getElementById(id);
const ROLES = ["viewer", "uploader", "operator"];
const names = new Map();

function describe(account, me) {
  names.set(account.id, account.name);
  const mine = account.id === me.id; // another operator may change it
  return row(account.name, mine ? account.role : chooseRole(account), words.when(account.created_at),
    mine ? "" : toggle(account), mine ? "" : endSessions(account));
}

function chooseRole(account) {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", `Role of ${account.name}`);
  choice.replaceChildren(...ROLES.map((role) => new Option(role, role, false, role === account.role)));
  choice.addEventListener("change", async () => {
    const changed = await tell(() => call("PATCH", `/accounts/${account.id}`, { role: choice.value }));
    choice.value = changed?.role ?? account.role;
  });
  return choice;
}

function toggle(account) {
  const made = button(account.disabled_at ? "Enable" : "Disable", async () => {
    const disabled = !account.disabled_at;
    const changed = await tell(() => call("PATCH", `/accounts/${account.id}`, { disabled }));
    if (changed) made.replaceWith(toggle(changed));
  });
  return made;
}

function endSessions(account) {
  const made = button("Log out everywhere", async () => {
    const done = await tell(() => call("DELETE", `/accounts/${account.id}/sessions`));
    if (done) made.textContent = `Sessions ended: ${done.sessions_ended}`;
  });
  return made;
}

async function showAccounts(me, after) {
  const query = after ? `&after=${encodeURIComponent(after)}` : "";
  const page = await call("GET", `/accounts?limit=50${query}`);
  at("accounts").append(...page.items.map((account) => describe(account, me)));
  at("more-accounts").hidden = !page.next;
  at("more-accounts").onclick = () => tell(() => showAccounts(me, page.next));
}

/** Show the beginning of an id, and all of it to who points at it. */
function short(id) {
  const text = document.createElement("span");
  text.textContent = id && id.length > 12 ? `${id.slice(0, 8)}…` : id ?? "";
  text.title = id ?? "";
  return text;
}

/** Give the facts of a line that no column has. */
function facts(data) {
  const told = Object.entries(data).filter(([name]) => name !== "account_id");
  return told.map(([name, value]) => `${name}: ${value}`).join(", ");
}

async function showAudit(before) {
  const page = await call("GET", `/audit?limit=50${before ? `&before=${before}` : ""}`);
  at("audit").append(...page.items.map((entry) => row(
    words.when(entry.time), entry.action, entry.result,
    names.get(entry.actor_id) ?? (entry.actor_id ? short(entry.actor_id) : "unknown"),
    names.get(entry.subject_id) ?? short(entry.subject_id), facts(entry.data), entry.address,
    short(entry.request_id))));
  at("more-audit").hidden = !page.next;
  at("more-audit").onclick = () => tell(() => showAudit(page.next));
}

const me = await tell(greet);
if (me === null) logIn();
else if (me) await tell(async () => { await showAccounts(me); await showAudit(); });
