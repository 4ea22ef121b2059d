// Two browsers find each other by name, and talk without the server.
//
//   ?me=alice&meet=bob     who meets whom; in the part after # it works, too
//   ?signalling=wss://...  another server than the one that this page comes from
//   ?stun=stun:host:port   for peers that are not on one network

import { SignallingClient } from "./rtcsig.js";

const SIGNALS = ["request", "offer", "answer", "candidate"];
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// -- The connection from browser to browser --------------------------------------------------

/**
 * One RTCPeerConnection. The caller offers first; any later offer, such as that of an ICE restart,
 * may come from both at once, and is negotiated as the standard's "perfect negotiation" has it.
 */
class Meeting {
  session = Math.random().toString(36).slice(2);
  remote; // the other's session, once known
  #isMakingOffer = false;
  #isIgnored = false;
  #received = Promise.resolve();
  #isAnswering;

  constructor({ isCaller, isPolite, iceServers, send, changed, said, pointed }) {
    this.#isAnswering = !isCaller;
    this.isPolite = isPolite;
    this.send = (message) => send({ ...message, session: this.session, to: this.remote });
    this.connection = new RTCPeerConnection({ iceServers });
    this.connection.onnegotiationneeded = () => this.#offer();
    this.connection.onicecandidate = ({ candidate: found }) =>
      found?.candidate &&
      this.send({ type: "candidate", candidate: found.candidate, mid: found.sdpMid });
    this.connection.onconnectionstatechange = changed;
    this.chat = this.connection.createDataChannel("chat", { negotiated: true, id: 0 });
    this.chat.onopen = this.chat.onclose = changed;
    this.chat.onmessage = ({ data }) => said(data);
    // A pointer's place is worth nothing once there is a newer one.
    const hasty = { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 };
    this.pointer = this.connection.createDataChannel("pointer", hasty);
    this.pointer.onmessage = ({ data }) => pointed(JSON.parse(data));
  }

  /** One of `connecting`, `open`, `interrupted`, `closed`. */
  get state() {
    const { connectionState } = this.connection;
    if (connectionState === "closed" || this.chat.readyState.startsWith("clos")) return "closed";
    if (this.chat.readyState !== "open") return "connecting";
    return ["disconnected", "failed"].includes(connectionState) ? "interrupted" : "open";
  }

  receive(message) {
    this.#received = this.#received.then(() => this.#receive(message)).catch(console.error);
  }

  async #offer() {
    if (this.#isAnswering) return; // asked again after the answer, if need be
    this.#isMakingOffer = true;
    await this.#describe().catch(console.error);
    this.#isMakingOffer = false;
  }

  async #receive({ type, description, candidate, mid: sdpMid, session }) {
    const { signalingState } = this.connection;
    if (signalingState === "closed") return;
    if (type === "candidate") {
      const isWanted = !this.#isIgnored && session === this.remote;
      return isWanted && this.connection.addIceCandidate({ candidate, sdpMid });
    }
    const isCollision = this.#isMakingOffer || signalingState !== "stable";
    this.#isIgnored = type === "offer" && isCollision && !this.isPolite;
    const isLate = type === "answer" && signalingState !== "have-local-offer";
    if (this.#isIgnored || isLate) return;
    this.remote = session;
    this.#isAnswering = type === "offer";
    await this.connection.setRemoteDescription({ type, sdp: description });
    if (type === "offer") await this.#describe();
    this.#isAnswering = false;
  }

  async #describe() {
    await this.connection.setLocalDescription();
    const { type, sdp } = this.connection.localDescription;
    this.send({ type, description: sdp });
  }
}

// -- Signalling: who is there, and when to begin ---------------------------------------------

const query = new URLSearchParams(location.search);
const wanted = new URLSearchParams([...query, ...new URLSearchParams(location.hash.slice(1))]);
const stun = query.get("stun");
const iceServers = stun ? [{ urls: stun.startsWith("stun:") ? stun : `stun:${stun}` }] : [];

// Signalling is tried again at `retryAt`; the data channel is open since `openSince`.
let me, them, client, meeting, retryAt, openSince;

function start() {
  const address = new URL(query.get("signalling") ?? "/", location.origin);
  client = new SignallingClient(address, me, { storage: sessionStorage });
  client.addEventListener("state", ({ detail }) => showSignalling(detail));
  client.addEventListener("presence", ({ detail: { state } }) => showPresence(state));
  client.addEventListener("message", ({ detail }) => receive(detail));
  client.addEventListener("problem", ({ detail: { peer } }) => peer === them && isNotThere());
  client.watch(them);
  client.connect().catch(() => {}); // its state is shown
  globalThis.demo = { client, get meeting() { return meeting; } };
}

/** Begin anew. It is always the same one who calls, so that two calls never cross. */
function meet({ isUrgent = false } = {}) {
  if (me > them) begin({ isCaller: true });
  else client.send(them, { type: "request", isUrgent }).catch(() => {}); // presence tells
}

function begin({ isCaller }) {
  meeting?.connection.close();
  const failed = () => current === meeting && isNotThere();
  const current = new Meeting({
    isCaller,
    isPolite: me < them,
    iceServers,
    send: (message) => client.send(them, message).catch(failed),
    changed: () => current === meeting && showChannel(),
    said: (text) => add("them", them, text),
    pointed: (place) => show($("their-cursor"), place),
  });
  meeting = current;
  showChannel();
}

function receive({ from, message }) {
  const { type, session, to, isUrgent } = message;
  const isCall = ["request", "offer"].includes(type);
  if (from !== them) return isCall && add("note", "", `${from} wants to meet you, too.`);
  // Meant for a connection that I have no longer.
  if (!SIGNALS.includes(type) || (to !== undefined && to !== meeting?.session)) return;
  const hasCalled = !isOver() && meeting.remote === undefined;
  if (type === "request") return me > them && (isUrgent || !hasCalled) ? meet() : undefined;
  if (type === "offer" && (isOver() || meeting.remote !== session)) begin({ isCaller: false });
  meeting?.receive(message);
}

const isOver = () => !meeting || meeting.state === "closed";

/** An offer came to nothing; a connection that is there already does not mind. */
function isNotThere() {
  if (meeting?.state === "connecting") meeting.connection.close();
  showChannel();
}

// -- What is seen and done -------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const { dataset } = document.body;
const shortened = (name) => (name.length > 14 ? `${name.slice(0, 13)}…` : name);
// What is the same is not written again: it would be read aloud.
const write = (id, text) => $(id).textContent !== text && ($(id).textContent = text);

function showSignalling({ state, numbered, retryMs, offline, error }) {
  dataset.signalling = state;
  retryAt = state === "waiting" ? Date.now() + retryMs : undefined;
  write("signalling", offline ? "no network" : error ? `stopped: ${error.message}` : state);
  write("again", state === "stopped" ? "Connect again" : "Meet again");
  if (state !== "open") showPresence("unknown");
  else if (!numbered && isOver()) meet(); // there is no presence
  count();
}

function showPresence(state) {
  dataset.presence = state;
  const word = { here: "is here", away: "was here a moment ago", absent: "is not here" }[state];
  write("presence", word ? `${them} ${word}.` : `No news of ${them}.`);
  if (state === "here" && isOver()) meet();
  if (state === "absent") isNotThere();
}

function showChannel() {
  const state = meeting?.state ?? "none";
  const isThere = ["open", "interrupted"].includes(state);
  if (isThere && !openSince) add("note", "", `You are connected to ${them}.`);
  if (!isThere && openSince) add("note", "", "The connection ended.");
  openSince = isThere ? (openSince ?? Date.now()) : undefined;
  dataset.channel = state;
  if (meeting?.connection.connectionState === "failed") meeting.connection.restartIce();
  write("channel", state === "none" ? "none yet" : state);
  for (const element of $("say").elements) element.disabled = state !== "open";
  if (!isThere) $("their-cursor").hidden = true;
  count();
}

function count() {
  const seconds = (ms) => Math.max(0, Math.round(ms / 1000));
  const open = seconds(Date.now() - openSince);
  const clock = `${Math.floor(open / 60)}:${String(open % 60).padStart(2, "0")}`;
  write("countdown", retryAt ? `next try in ${seconds(retryAt - Date.now())} s` : "");
  write("duration", openSince ? `for ${clock}` : "");
}

function add(kind, name, text) {
  const line = Object.assign(document.createElement("li"), { className: kind });
  if (name) line.append(Object.assign(document.createElement("b"), { textContent: name }), " ");
  line.append(text);
  $("log").append(line);
  $("log").scrollTop = $("log").scrollHeight;
}

function show(cursor, { x, y, isPressed }) {
  cursor.hidden = false;
  Object.assign(cursor.style, { left: `${x * 100}%`, top: `${y * 100}%` });
  cursor.classList.toggle("pressed", Boolean(isPressed));
  cursor.classList.toggle("leftwards", x > 0.6);
}

let place = { x: 0.5, y: 0.5 };
const within = (share) => Math.min(1, Math.max(0, share));

function point(next) {
  place = next;
  $("hint").hidden = true;
  show($("my-cursor"), place);
  if (meeting?.pointer.readyState === "open") meeting.pointer.send(JSON.stringify(place));
}

function pointed({ clientX, clientY, buttons }) {
  const { left, top, width, height } = $("surface").getBoundingClientRect();
  const [x, y] = [(clientX - left) / width, (clientY - top) / height].map(within);
  point({ x, y, isPressed: buttons > 0 });
}

for (const type of ["move", "down", "up"]) $("surface").addEventListener(`pointer${type}`, pointed);
$("surface").addEventListener("keydown", (event) => {
  const [right, down] = STEPS[event.key] ?? [];
  if (right === undefined) return;
  event.preventDefault();
  point({ x: within(place.x + right / 50), y: within(place.y + down / 50) });
});

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || meeting?.state !== "open") return;
  meeting.chat.send(text);
  add("me", me, text);
  $("text").value = "";
});

function enter(event) {
  event?.preventDefault();
  me = $("ask").elements.me.value.trim();
  them = $("ask").elements.meet.value.trim();
  try {
    if (me === them) throw new RangeError("Two different names are needed.");
    start();
  } catch (error) {
    return write("refusal", error.message);
  }
  history.replaceState(null, "", link({ me, meet: them }));
  $("invitation").value = link({ me: them, meet: me });
  write("my-name", shortened(me));
  write("their-name", shortened(them));
  write("invited", them);
  $("their-cursor").firstElementChild.textContent = them;
  document.title = `${me} meets ${them} – rtcsig`;
  dataset.stage = "meet";
  $("room").focus({ preventScroll: true });
}

/** This page, with the names where no server and no Referer sees them. */
function link(names = {}) {
  const url = new URL(location);
  for (const name of ["me", "meet"]) url.searchParams.delete(name);
  url.hash = new URLSearchParams(names);
  return url.href;
}

$("ask").addEventListener("submit", enter);
$("copy").addEventListener("click", () => {
  $("invitation").select();
  // There is no navigator.clipboard on a page that came over http.
  if (document.execCommand("copy")) write("copy", "Copied");
});
$("again").addEventListener("click", () => {
  if (client.state !== "stopped") meet({ isUrgent: true });
  else client.connect().catch(() => {});
});
$("leave").addEventListener("click", () => {
  client.close();
  location.replace(link());
});
// Else the other would notice only when nothing has come for a while.
addEventListener("pagehide", () => meeting?.connection.close());
setInterval(count, 500);

for (const name of ["me", "meet"]) $("ask").elements[name].value = wanted.get(name) ?? "";
if (wanted.get("me") && wanted.get("meet")) enter();
else $("ask").elements[wanted.get("me") ? "meet" : "me"].focus();
