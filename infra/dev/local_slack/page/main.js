// The page: who you are, where you are, and what happens there.
import { act, everybody, follow, seen } from "./api.js";
import { composer } from "./composer.js";
import { byId, el } from "./dom.js";
import { renderMessage } from "./message.js";
import { confirmed, showHome, showModal } from "./modal.js";
import { learn } from "./names.js";

const state = { user: "", seen: null, channel: "", thread: null, tab: "messages", stop: () => {} };
const notices = [];

const channelOf = (id) => state.seen.channels.find((channel) => channel.id === id);
const unescaped = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const named = (channel) => (channel.is_im ? state.seen.app.name : `#${channel.name}`);

const composers = {
  channel: composer("channel", () => ({ user: state.user, channel: state.channel }), () => state.seen.app),
  thread: composer("thread", () => ({ user: state.user, channel: state.channel, thread_ts: state.thread }), () => state.seen.app),
};

function toast(problem) {
  const bar = byId("toast");
  bar.textContent = problem.message ?? String(problem);
  bar.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { bar.hidden = true; }, 6000);
}

// --- who you are -----------------------------------------------------------------------------------------------

async function become(user) {
  state.stop();
  state.user = user;
  localStorage.setItem("person", user);
  await reload();
  const wanted = state.seen.channels.find((channel) => channel.id === state.channel)
    ?? state.seen.channels.find((channel) => channel.name === "ops") ?? state.seen.channels[0];
  if (wanted?.id !== state.channel) state.thread = null;
  state.stop = follow(user, state.seen.number, happened, connected);
  if (wanted) await go(wanted.id, state.thread);
  else draw();
}

async function reload() {
  state.seen = await seen(state.user);
  learn(state.seen);
}

function connected(live) {
  const app = state.seen.app;
  const text = !live ? "Workspace unreachable" : app.connected ? `${app.name} is connected` : `${app.name} is not connected`;
  byId("connection").textContent = text;
  byId("connection").classList.toggle("ok", live && app.connected);
}

// --- what happens ----------------------------------------------------------------------------------------------

const refetch = new Set(["views", "channel", "people"]);
let happening = Promise.resolve();

// One after another: what happens while everything is fetched anew comes after that, or it would be overwritten.
function happened(event) {
  happening = happening.then(() => take(event)).catch(toast);
}

async function take(event) {
  const channel = channelOf(event.channel);
  if (event.type === "connection") {
    state.seen.app.connected = event.connected;
    connected(true);
  } else if (refetch.has(event.type)) {
    await reload();
    draw();
  } else if (event.type === "notice") {
    notices.push({ channel: event.channel, ts: String(Date.now() / 1000), text: event.text, notice: true, user: "" });
    drawMessages();
  } else if (event.type === "session") {
    state.seen.sessions = state.seen.sessions.filter((one) => one.channel !== event.channel || one.thread_ts !== event.thread_ts);
    state.seen.sessions.push(event);
    drawSession();
  } else if (event.type === "ephemeral") {
    state.seen.ephemerals = state.seen.ephemerals.filter((one) => one.ts !== event.ts);
    state.seen.ephemerals.push({ ...event.message, channel: event.channel });
    drawMessages();
  } else if (event.type === "ephemeral_deleted") {
    state.seen.ephemerals = state.seen.ephemerals.filter((one) => one.ts !== event.ts);
    drawMessages();
  } else if (event.type === "message_deleted" && channel) {
    channel.messages = channel.messages.filter((one) => one.ts !== event.ts);
    drawMessages();
  } else if (event.message && channel) {
    const at = channel.messages.findIndex((one) => one.ts === event.ts);
    if (at < 0) channel.messages.push(event.message);
    else channel.messages[at] = event.message;
    drawMessages();
    drawSidebar();
  } else if (event.message && event.channel) {
    await reload();
    draw();
  }
}

// --- where you are ---------------------------------------------------------------------------------------------

async function go(channel, thread = null) {
  state.channel = channel;
  state.thread = thread;
  state.tab = "messages";
  closeMenu();
  draw();
  const list = byId("messages");
  list.scrollTop = list.scrollHeight;
}

function openThread(ts) {
  state.thread = ts;
  draw();
  const list = byId("thread-messages");
  list.scrollTop = list.scrollHeight;
  composers.thread.focusInput();
}

function closeThread() {
  state.thread = null;
  draw();
  composers.channel.focusInput();
}

// --- drawing ---------------------------------------------------------------------------------------------------

function draw() {
  drawSidebar();
  drawPlace();
  drawMessages();
  drawSession();
  showModal(state.seen.views.at(-1), state.user, toast);
  showHome(state.seen.home, state.user, toast);
}

function drawSidebar() {
  const entry = (channel) => {
    const unread = channel.id === state.channel ? 0 : unreadIn(channel);
    const shown = channel.is_im ? state.seen.app.name : channel.name;
    return el("li", {}, el("button", {
      type: "button", class: `entry ${unread ? "unread" : ""}`, testid: channel.is_im ? "dm-app" : `channel-${channel.name}`,
      "aria-current": channel.id === state.channel ? "page" : null, on: { click: () => go(channel.id) },
    }, el("span", { class: "sign", "aria-hidden": "true" }, channel.is_im ? "●" : channel.is_private ? "◆" : "#"),
    el("span", { class: "entry-name" }, shown),
    unread ? el("span", { class: "count", testid: `unread-${channel.is_im ? "app" : channel.name}`, "aria-label": `${unread} unread` }, String(unread)) : null));
  };
  const open = state.seen.channels.filter((channel) => !channel.is_archived);
  byId("channels").replaceChildren(...open.filter((channel) => !channel.is_im).map(entry));
  byId("directs").replaceChildren(...open.filter((channel) => channel.is_im).map(entry));
}

function unreadIn(channel) {
  const read = localStorage.getItem(`read:${state.user}:${channel.id}`) ?? "0";
  return channel.messages.filter((message) => message.ts > read && message.user !== state.user).length;
}

function markRead() {
  const channel = channelOf(state.channel);
  const latest = channel?.messages.at(-1)?.ts;
  if (latest && document.visibilityState === "visible") localStorage.setItem(`read:${state.user}:${channel.id}`, latest);
}

function drawPlace() {
  const channel = channelOf(state.channel);
  if (!channel) return;
  byId("place-name").textContent = named(channel);
  byId("place-topic").textContent = channel.is_im ? "Direct message with the app" : unescaped(channel.topic.value);
  document.title = `${named(channel)} · Local workspace`;
  byId("tabs").hidden = !channel.is_im || !state.seen.app.home_tab;
  const home = channel.is_im && state.tab === "home";
  byId("tab-messages").setAttribute("aria-pressed", String(!home));
  byId("tab-home").setAttribute("aria-pressed", String(home));
  byId("home").hidden = !home;
  byId("messages").hidden = home;
  byId("composer").hidden = home;
  composers.channel.setPlaceholder(`Message ${named(channel)}`);
  byId("thread").hidden = !state.thread;
  byId("thread-place").textContent = named(channel);
  document.body.classList.toggle("in-thread", Boolean(state.thread));
}

function drawMessages() {
  const channel = channelOf(state.channel);
  if (!channel) return;
  const whispers = [...state.seen.ephemerals, ...notices].filter((one) => one.channel === channel.id);
  const top = channel.messages.filter((one) => !one.thread_ts || one.thread_ts === one.ts || one.subtype === "thread_broadcast");
  fill(byId("messages"), top, whispers.filter((one) => !one.thread_ts), false);
  if (state.thread) {
    const thread = channel.messages.filter((one) => one.ts === state.thread || one.thread_ts === state.thread);
    fill(byId("thread-messages"), thread, whispers.filter((one) => one.thread_ts === state.thread), true);
  }
  markRead();
}

// Brings a list up to date, message by message, so that focus, scroll position and selection survive.
function fill(list, messages, whispers, inThread) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const wanted = [...messages.map((message) => ({ message, ephemeral: false })), ...whispers.map((message) => ({ message, ephemeral: true }))]
    .sort((one, other) => (one.message.ts < other.message.ts ? -1 : 1));
  const present = new Map([...list.children].map((child) => [child.dataset.ts, child]));
  let previous = null;
  for (const { message, ephemeral } of wanted) {
    const key = `${state.user}:${state.channel}:${inThread}:${JSON.stringify(message)}`;
    let item = present.get(message.ts);
    present.delete(message.ts);
    if (item?.shownAs !== key) {
      const made = renderMessage(message, { user: state.user, app: state.seen.app, inThread, ephemeral, handlers });
      made.shownAs = key;
      if (item) {
        const focused = item.contains(document.activeElement) ? document.activeElement.dataset.testid ?? "" : null;
        item.replaceWith(made);
        // A button that was pressed is often gone from what it led to: then the message itself keeps the place.
        if (focused !== null) (made.querySelector(`[data-testid="${CSS.escape(focused)}"]`) ?? made).focus();
      }
      item = made;
    }
    const place = previous ? previous.nextSibling : list.firstChild;
    if (place !== item) list.insertBefore(item, place);
    previous = item;
  }
  for (const gone of present.values()) gone.remove();
  if (!wanted.length) list.replaceChildren();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function drawSession() {
  const bar = byId("session");
  const session = state.seen.sessions.find((one) => one.channel === state.channel && one.thread_ts === state.thread);
  const shown = session && session.status !== "closed" && session.status !== "active";
  bar.hidden = !shown;
  if (!shown) return;
  const working = session.status === "processing";
  const stop = el("button", {
    type: "button", class: "button", testid: "stop-session",
    on: { click: () => act("stop", { user: state.user, channel: state.channel, thread_ts: state.thread }).catch(toast) },
  }, "Stop");
  bar.replaceChildren(
    el("span", {}, working ? `${state.seen.app.name} is working…` : `${state.seen.app.name} waits for people`),
    ...(working ? [stop] : []));
}

const handlers = {
  openThread,
  async use(message, element, block, chosen) {
    if (element.confirm && !(await confirmed(element.confirm))) return;
    if (element.url && /^https?:/.test(element.url)) window.open(element.url, "_blank", "noopener");
    await act("click", {
      user: state.user, channel: state.channel, ts: message.ts,
      action_id: element.action_id, block_id: block.block_id, value: element.value, chosen: chosen ?? {},
    }).catch(toast);
  },
  react: (message, name, remove) =>
    act("reactions", { user: state.user, channel: state.channel, ts: message.ts, name, remove }).catch(toast),
  shortcut: (message, callback) =>
    act("shortcuts", { user: state.user, channel: state.channel, ts: message.ts, callback_id: callback }).catch(toast),
};

// --- start -----------------------------------------------------------------------------------------------------

function closeMenu() {
  document.body.classList.remove("menu-open");
  byId("menu").setAttribute("aria-expanded", "false");
}

function theme(next) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const current = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const chosen = next ?? (current === "dark" ? "light" : "dark");
  document.documentElement.dataset.theme = chosen;
  localStorage.setItem("theme", chosen);
}

async function start() {
  const stored = localStorage.getItem("theme");
  if (stored) theme(stored);
  byId("theme").addEventListener("click", () => theme());
  byId("composer").append(composers.channel);
  byId("thread-composer").append(composers.thread);
  byId("thread-close").addEventListener("click", closeThread);
  byId("thread").addEventListener("keydown", (event) => { if (event.key === "Escape") closeThread(); });
  byId("menu").addEventListener("click", () => {
    const open = document.body.classList.toggle("menu-open");
    byId("menu").setAttribute("aria-expanded", String(open));
  });
  byId("tab-messages").addEventListener("click", () => { state.tab = "messages"; drawPlace(); drawMessages(); });
  byId("tab-home").addEventListener("click", () => { state.tab = "home"; drawPlace(); act("home", { user: state.user }).catch(toast); });
  document.addEventListener("visibilitychange", markRead);
  const { people } = await everybody();
  const humans = people.filter((person) => !person.is_bot && !person.deleted);
  const kind = (person) => (person.is_restricted ? " (guest)" : person.is_stranger ? " (other organisation)" : "");
  const picker = byId("person");
  picker.append(...humans.map((person) => el("option", { value: person.id, testid: `person-${person.id}` }, person.profile.display_name + kind(person))));
  picker.addEventListener("change", () => become(picker.value));
  const asked = new URLSearchParams(location.search).get("user");
  const stayed = localStorage.getItem("person");
  const first = [asked, stayed].find((id) => humans.some((person) => person.id === id)) ?? humans[0].id;
  picker.value = first;
  const link = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (link) state.channel = link[1];
  await become(first);
  if (link && state.channel === link[1]) {
    const ts = `${link[2]}.${link[3]}`;
    const message = channelOf(state.channel).messages.find((one) => one.ts === ts);
    if (message?.thread_ts) openThread(message.thread_ts);
  }
  document.body.dataset.ready = "true";
}

start();
