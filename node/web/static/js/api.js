// The API of this node, its live stream, and whether it is there at all.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.message);
    this.status = status;
    this.code = problem.code;
  }
}

export async function get(path) {
  return answered(await fetch(`api/v1/${path}`, { headers: { accept: "application/json" } }));
}

export async function send(method, path, body) {
  return answered(await fetch(`api/v1/${path}`, {
    method,
    headers: { "content-type": body instanceof Blob ? "application/octet-stream" : "application/json" },
    body: body instanceof Blob ? body : JSON.stringify(body ?? {}),
  }));
}

async function answered(response) {
  if (response.ok) return response.status === 204 ? null : response.json();
  let problem = { code: "unreadable", message: `the server said ${response.status}` };
  try { problem = (await response.json()).error; } catch { /* it said nothing that we know */ }
  throw new Refused(response.status, problem);
}

const NAMES = ["reset", "status", "flows", "ders", "block", "alarm", "event", "meter", "settings", "cell-alarms"];

export function listen(heard, reached) {
  let source = null;
  let last = Date.now();
  const open = () => {
    source = new EventSource("api/v1/stream");
    source.onopen = () => { last = Date.now(); reached(true); };
    source.onerror = () => {
      reached(false);
      // A browser gives up after some refusals; the page does not.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    };
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        last = Date.now();
        reached(true);
        heard(name, JSON.parse(event.data));
      });
    }
  };
  open();
  // A connection can be dead without anybody saying so.
  setInterval(() => { if (Date.now() - last > 20000) { last = Date.now(); source.close(); reached(false); open(); } }, 2000);
}
