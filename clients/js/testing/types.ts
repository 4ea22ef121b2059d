// What must compile, and after each @ts-expect-error what must not.
import {
  type Message,
  type Presence,
  type State,
  PeerNotFoundError,
  RefusedError,
  SignallingClient,
  afterClose,
  backoffMs,
} from "rtcsig-client";

const client = new SignallingClient("wss://example.org/", "alice", {
  waitForId: true,
  storage: sessionStorage,
  WebSocket,
  window,
  document,
  navigator,
});
const state: State = client.state;

client.addEventListener("message", ({ detail: { from, message } }) => {
  const answer: Promise<void> = client.send(from, { ...message, state });
  answer.catch((error) => error instanceof PeerNotFoundError && error.peer.length);
});
client.addEventListener("presence", ({ detail }) => {
  const presence: Presence = detail.state;
  // @ts-expect-error there is no such state
  return presence === "gone";
});
client.addEventListener("state", ({ detail: { retryMs, error } }) => {
  if (error instanceof RefusedError) return error.code + (retryMs ?? 0);
  // @ts-expect-error it may be undefined
  return retryMs.toFixed();
});
client.addEventListener("problem", ({ detail }) => detail.code?.length);

interface Offer {
  type: "offer";
  sdp: string;
}
const offer: Offer = { type: "offer", sdp: "" };
client.send("bob", offer);
// @ts-expect-error a message is an object
client.send("bob", "hello");
// @ts-expect-error `state` is the client's own
client.state = "open";

client.watch("bob", "carol");
client.connect().then(() => client.close());
const after = afterClose(1012, "", { attempt: 1 });
export const retryMs: number = after.error ? after.error.code : after.retryMs + backoffMs(2);
export const message: Message = {};
