// Who and what ids stand for, and the pictures behind emoji names.
import { el } from "./dom.js";

const known = { people: new Map(), channels: new Map(), groups: new Map() };

export function learn(seen) {
  known.people = new Map(seen.people.map((person) => [person.id, person]));
  known.channels = new Map(seen.channels.map((channel) => [channel.id, channel]));
  known.groups = new Map(seen.usergroups.map((group) => [group.id, group]));
}

export const personName = (id) => known.people.get(id)?.profile.display_name ?? id;
export const people = () => [...known.people.values()];
export const groups = () => [...known.groups.values()];

export const channelName = (id) => known.channels.get(id)?.name ?? id;
export const channels = () => [...known.channels.values()];

export const personChip = (id) => el("span", { class: "mention" }, `@${personName(id)}`);
export const channelChip = (id, label) => el("span", { class: "mention" }, `#${label || channelName(id)}`);
export const groupChip = (id) => el("span", { class: "mention" }, `@${known.groups.get(id)?.handle ?? id}`);
export const broadcastChip = (range) => el("span", { class: "mention loud" }, `@${range}`);

const EMOJI = {
  eyes: "👀", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", rocket: "🚀", tada: "🎉", "+1": "👍", thumbsup: "👍", "-1": "👎", no_entry: "⛔",
  no_entry_sign: "🚫", red_circle: "🔴", large_green_circle: "🟢", large_yellow_circle: "🟡", large_blue_circle: "🔵",
  white_circle: "⚪", black_circle: "⚫", lock: "🔒", unlock: "🔓", information_source: "ℹ️",
  arrows_counterclockwise: "🔄", repeat: "🔁", bulb: "💡", wave: "👋", heart: "❤️", thinking_face: "🤔",
  octagonal_sign: "🛑", raised_hand: "✋", package: "📦", gear: "⚙️", mag: "🔍", memo: "📝", robot_face: "🤖",
  question: "❓", exclamation: "❗", rotating_light: "🚨", checkered_flag: "🏁", pause_button: "⏸️", stopwatch: "⏱️",
  alarm_clock: "⏰", fire: "🔥", hammer_and_wrench: "🛠️", page_facing_up: "📄", paperclip: "📎", link: "🔗",
  bust_in_silhouette: "👤", shield: "🛡️", smile: "😄", clock3: "🕒", fast_forward: "⏩", zap: "⚡", seedling: "🌱",
};

export function emoji(name) {
  const shown = EMOJI[name.split("::")[0]];
  return shown ? el("span", { class: "emoji", role: "img", "aria-label": name }, shown) : `:${name}:`;
}
