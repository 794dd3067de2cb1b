// One message as the page shows it.
import { renderBlocks } from "./blocks.js";
import { el, icon, timeOf } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { emoji, people, personName } from "./names.js";

const QUICK = ["eyes", "+1", "white_check_mark", "tada", "heart"];

// view: {user, app, inThread, ephemeral, handlers: {use, openThread, react, shortcut}}
export function renderMessage(message, view) {
  const fromApp = Boolean(message.bot_id);
  const name = message.notice ? "Local workspace" : personName(message.user);
  const body = [];
  const typed = message.blocks?.length === 1 && message.blocks[0].block_id === "typed";
  const blocks = typed ? [] : message.blocks ?? [];
  if (message.text && !blocks.length) body.push(el("div", { class: "text", testid: "message-text" }, mrkdwn(message.text)));
  body.push(...renderBlocks(blocks, (element, block, chosen) => view.handlers.use(message, element, block, chosen)));
  for (const file of message.files ?? []) body.push(shownFile(file));
  const article = el("article", {
    class: `message ${view.ephemeral ? "ephemeral" : ""} ${message.subtype === "tombstone" ? "tombstone" : ""}`,
    testid: view.ephemeral ? "ephemeral" : "message",
    dataset: { ts: message.ts, user: message.user }, tabindex: "-1",
    "aria-label": `${name}${fromApp ? ", app" : ""}`,
  },
  avatar(message, name),
  el("div", { class: "content" },
    view.ephemeral && el("p", { class: "only-you" }, "Only visible to you"),
    el("div", { class: "byline" },
      el("strong", {}, name), fromApp && el("span", { class: "badge" }, "App"), badge(message.user),
      timeOf(message.ts), message.edited && el("span", { class: "edited" }, "(edited)"),
      message.streaming_state && el("span", { class: "streaming", testid: "streaming" }, "writing…")),
    message.pinned_info && el("p", { class: "pinned", testid: "pinned" }, `Pinned by ${personName(message.pinned_info.pinned_by)}`),
    body,
    reactions(message, view),
    !view.inThread && message.reply_count && el("button", {
      type: "button", class: "replies", testid: "open-thread",
      on: { click: () => view.handlers.openThread(message.thread_ts ?? message.ts) },
    }, `${message.reply_count} ${message.reply_count === 1 ? "reply" : "replies"}`),
    !view.inThread && message.subtype === "thread_broadcast" && el("button", {
      type: "button", class: "replies", on: { click: () => view.handlers.openThread(message.thread_ts) },
    }, "replied to a thread")),
  !view.ephemeral && message.subtype !== "tombstone" && tools(message, view));
  return article;
}

function avatar(message, name) {
  const person = people().find((one) => one.id === message.user);
  return el("span", { class: `avatar ${message.notice ? "system" : ""}`, "aria-hidden": "true", style: `--hue:#${person?.color ?? "4b5a75"}` },
    name.slice(0, 1).toUpperCase());
}

function badge(user) {
  const person = people().find((one) => one.id === user);
  if (person?.is_restricted) return el("span", { class: "badge" }, "Guest");
  if (person?.is_stranger) return el("span", { class: "badge" }, "Other organisation");
  return null;
}

function reactions(message, view) {
  if (!message.reactions?.length) return null;
  return el("div", { class: "reactions" }, message.reactions.map((reaction) => {
    const mine = reaction.users.includes(view.user);
    return el("button", {
      type: "button", class: "reaction", testid: `reaction-${reaction.name}`, "aria-pressed": String(mine),
      title: reaction.users.map(personName).join(", "),
      "aria-label": `${reaction.name}, ${reaction.count}: ${reaction.users.map(personName).join(", ")}`,
      on: { click: () => view.handlers.react(message, reaction.name, mine) },
    }, emoji(reaction.name), el("span", {}, String(reaction.count)));
  }));
}

function tools(message, view) {
  const picker = el("details", { class: "picker" }, el("summary", { "aria-label": "Add a reaction", testid: "react" }, icon("smile")),
    el("div", { class: "choice" }, QUICK.map((name) => el("button", {
      type: "button", "aria-label": name, testid: `react-${name}`,
      on: { click: () => { picker.open = false; view.handlers.react(message, name, false); } },
    }, emoji(name)))));
  const shortcuts = view.app.shortcuts.filter((shortcut) => shortcut.type === "message").map((shortcut) => el("button", {
    type: "button", class: "quiet", testid: `shortcut-${shortcut.callback_id}`,
    on: { click: () => view.handlers.shortcut(message, shortcut.callback_id) },
  }, shortcut.name));
  return el("div", { class: "tools" }, picker,
    !view.inThread && el("button", {
      type: "button", class: "quiet", "aria-label": "Reply in thread", title: "Reply in thread", testid: "reply",
      on: { click: () => view.handlers.openThread(message.thread_ts ?? message.ts) },
    }, icon("reply")), shortcuts);
}

function shownFile(file) {
  if (file.mode === "tombstone") return el("p", { class: "file gone", testid: "file-gone" }, "This file was deleted.");
  const address = `/control/files/${file.id}`;
  const size = file.size < 1024 ? `${file.size} bytes` : `${(file.size / 1024).toFixed(1)} KiB`;
  const picture = /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype);
  return el("figure", { class: "file", testid: "file" },
    picture && el("img", { class: "large", src: address, alt: file.title }),
    el("figcaption", {}, el("a", { href: address, download: file.name }, file.title), ` ${size}`));
}
