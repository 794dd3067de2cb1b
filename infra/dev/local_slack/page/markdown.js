// Standard Markdown of the markdown block: headings, lists, tables, code, quotes, emphasis, links.
import { el } from "./dom.js";
import { link } from "./mrkdwn.js";
import { broadcastChip, channelChip, emoji, personChip } from "./names.js";

export function markdown(text) {
  return blocks(text.split("\n"));
}

function blocks(lines) {
  const out = [];
  let at = 0;
  const gather = (test) => {
    const taken = [];
    while (at < lines.length && test(lines[at])) taken.push(lines[at++]);
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    const fence = /^\s*(```|~~~)(\S*)/.exec(line);
    if (!line.trim()) at += 1;
    else if (fence) {
      at += 1;
      const body = gather((next) => !next.trim().startsWith(fence[1]));
      at += 1;
      out.push(el("pre", {}, body.join("\n")));
    } else if (heading) {
      at += 1;
      out.push(el(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(heading[2])));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      at += 1;
      out.push(el("hr"));
    } else if (/^\s*>/.test(line)) {
      out.push(el("blockquote", {}, blocks(gather((next) => /^\s*>/.test(next)).map((next) => next.replace(/^\s*>\s?/, "")))));
    } else if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[at + 1] ?? "")) {
      out.push(table(gather((next) => next.includes("|"))));
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      out.push(list(gather((next) => /^\s*([-*+]|\d+[.)])\s+/.test(next) || /^\s{2,}\S/.test(next))));
    } else {
      const body = gather((next) => next.trim() && !/^(#{1,6}\s|\s*(```|~~~)|\s*>|\s*([-*+]|\d+[.)])\s+)/.test(next));
      if (!body.length) body.push(lines[at++]);
      out.push(el("p", {}, inline(body.join("\n"))));
    }
  }
  return out;
}

function list(lines) {
  const items = [];
  const indent = /^\s*/.exec(lines[0])[0].length;
  const ordered = /^\s*\d/.test(lines[0]);
  for (const line of lines) {
    const item = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/.exec(line);
    if (item && item[1].length <= indent) items.push({ text: item[3], inner: [] });
    else items.at(-1)?.inner.push(line);
  }
  const made = items.map(({ text, inner }) => {
    const nested = inner.length && /^\s*([-*+]|\d+[.)])\s+/.test(inner[0]);
    return el("li", {}, inline(nested ? text : [text, ...inner.map((line) => line.trim())].join("\n")), nested ? list(inner) : null);
  });
  const start = ordered ? /\d+/.exec(lines[0])[0] : null;
  return el(ordered ? "ol" : "ul", { start: start && start !== "1" ? start : null }, made);
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  const [head, , ...rows] = lines.map(cells);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", {},
      el("thead", {}, el("tr", {}, head.map((cell) => el("th", { scope: "col" }, inline(cell))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, inline(cell))))))));
}

const TOKEN = /(`+)([\s\S]*?[^`])\1(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|__(?=\S)([\s\S]*?\S)__|~~(?=\S)([\s\S]*?\S)~~|\*(?=\S)([^*]*?\S)\*|(?<!\w)_(?=\S)([^_]*?\S)_(?!\w)|\[([^\]]+)\]\(([^()\s]+)\)|<(https?:[^>\s]+)>|<@(\w+)>|<#(\w+)(?:\|[^>]*)?>|<!(here|channel|everyone)>|:([a-z0-9_+-]+):|\\([\\`*_{}[\]()#+\-.!~|<>&])/g;

function inline(text) {
  const parts = [];
  let position = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(plain(text.slice(position, match.index)));
    position = match.index + match[0].length;
    const [whole, , code, bold, bold2, strike, italic, italic2, label, target, bare, user, channel, range, name, escaped] = match;
    if (code !== undefined) parts.push(el("code", {}, code));
    else if (bold ?? bold2) parts.push(el("strong", {}, inline(bold ?? bold2)));
    else if (strike) parts.push(el("s", {}, inline(strike)));
    else if (italic ?? italic2) parts.push(el("em", {}, inline(italic ?? italic2)));
    else if (target) parts.push(link(target, label) ?? whole);
    else if (bare) parts.push(link(bare, bare));
    else if (user) parts.push(personChip(user));
    else if (channel) parts.push(channelChip(channel));
    else if (range) parts.push(broadcastChip(range));
    else if (name) parts.push(emoji(name));
    else parts.push(escaped);
  }
  parts.push(plain(text.slice(position)));
  return parts.filter((part) => part !== "");
}

const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
