// Slack's mrkdwn to elements: *bold* _italic_ ~strike~ `code` ```block``` > quote, <links>, <@people>, :emoji:.
import { el } from "./dom.js";
import { broadcastChip, channelChip, emoji, groupChip, personChip } from "./names.js";

const TOKEN = new RegExp(
  [
    "```([\\s\\S]+?)```",
    "`([^`\\n]+)`",
    "<([^<>\\n]+)>",
    "(?<![\\w*])\\*(?=\\S)([^*\\n]*?\\S)\\*(?![\\w*])",
    "(?<![\\w_])_(?=\\S)([^_\\n]*?\\S)_(?![\\w_])",
    "(?<![\\w~])~(?=\\S)([^~\\n]*?\\S)~(?![\\w~])",
    ":([a-z0-9_+'-]+(?:::skin-tone-\\d)?):",
  ].join("|"),
  "g",
);

export function mrkdwn(text) {
  const parts = [];
  let quote = [];
  const flush = () => {
    if (quote.length) parts.push(el("blockquote", {}, inline(quote.join("\n"))));
    quote = [];
  };
  let plain = [];
  const flushPlain = () => {
    if (plain.length) parts.push(...inline(plain.join("\n")));
    plain = [];
  };
  let fenced = false;
  for (const line of text.split("\n")) {
    const quoted = !fenced && /^(&gt;|>)\s?/.exec(line);
    if (quoted) {
      flushPlain();
      quote.push(line.slice(quoted[0].length));
    } else {
      flush();
      plain.push(line);
      if ((line.match(/```/g) ?? []).length % 2) fenced = !fenced;
    }
  }
  flush();
  flushPlain();
  return parts;
}

export function unescaped(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function inline(text) {
  const parts = [];
  let position = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(unescaped(text.slice(position, match.index)));
    position = match.index + match[0].length;
    const [whole, block, code, entity, bold, italic, strike, name] = match;
    if (block !== undefined) parts.push(el("pre", {}, unescaped(block.replace(/^\n/, ""))));
    else if (code !== undefined) parts.push(el("code", {}, unescaped(code)));
    else if (entity !== undefined) parts.push(reference(entity, whole));
    else if (bold !== undefined) parts.push(el("strong", {}, inline(bold)));
    else if (italic !== undefined) parts.push(el("em", {}, inline(italic)));
    else if (strike !== undefined) parts.push(el("s", {}, inline(strike)));
    else parts.push(emoji(name));
  }
  parts.push(unescaped(text.slice(position)));
  return parts.filter((part) => part !== "");
}

function reference(entity, whole) {
  const bar = entity.indexOf("|");
  const target = bar < 0 ? entity : entity.slice(0, bar);
  const label = bar < 0 ? "" : unescaped(entity.slice(bar + 1));
  if (target.startsWith("@")) return personChip(target.slice(1));
  if (target.startsWith("#")) return channelChip(target.slice(1), label);
  if (target.startsWith("!subteam^")) return groupChip(target.slice(9));
  if (target.startsWith("!date^")) return el("time", {}, label || new Date(Number(target.split("^")[1]) * 1000).toLocaleString());
  if (target.startsWith("!")) return broadcastChip(target.slice(1));
  return link(unescaped(target), label) ?? unescaped(whole);
}

export function link(address, label) {
  if (!/^(https?:|mailto:)/.test(address)) return null;
  return el("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, label || address);
}
