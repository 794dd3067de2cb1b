// Talks to the workspace's control API.
export class Refused extends Error {
  constructor(answer) {
    super(answer.explanation || answer.error);
    this.code = answer.error;
  }
}

export async function act(path, body) {
  const response = await fetch(`/control/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!answer.ok) throw new Refused(answer);
  return answer;
}

export async function seen(user) {
  const response = await fetch(`/control/seen?user=${encodeURIComponent(user)}`);
  return response.json();
}

export async function everybody() {
  return (await (await fetch("/control/dump")).json());
}

// Calls back with everything that happens after `number`; returns a function that stops it.
export function follow(user, number, happened, state) {
  const source = new EventSource(`/control/stream?user=${encodeURIComponent(user)}&since=${number}`);
  source.onmessage = (event) => happened(JSON.parse(event.data));
  source.onopen = () => state(true);
  source.onerror = () => state(false);
  // A browser keeps pages that were left, and opens few connections to one server: this one must not hold its own.
  const stop = () => {
    removeEventListener("pagehide", stop);
    source.close();
  };
  addEventListener("pagehide", stop);
  return stop;
}

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
