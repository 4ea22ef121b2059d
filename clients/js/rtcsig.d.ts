/** What every error of this module is. */
export class SignallingError extends Error {}

/** A message may not have arrived. */
export class DeliveryError extends SignallingError {
  constructor(peer: string, code: string, message: string);
  readonly peer: string;
  /** Why, as in docs/protocol.md; `too-much-waiting` comes from this client. */
  readonly code: string;
}

/** The peer is not there. */
export class PeerNotFoundError extends DeliveryError {}

/** The peer is away for the moment, and too much is held for it already. */
export class NotHeldError extends PeerNotFoundError {}

/** More is waiting in this client than it keeps. */
export class TooMuchWaitingError extends DeliveryError {
  constructor(peer: string);
}

/** The client was closed by `close`, or is not connected yet. */
export class ClosedError extends SignallingError {}

/** The server ended the connection for good; `code` and `reason` are those of the close. */
export class RefusedError extends SignallingError {
  constructor(code: number, reason: string);
  readonly code: number;
  readonly reason: string;
}

/** Somebody else has this id. */
export class IdTakenError extends RefusedError {}

/** Somebody newer has this id from now on. */
export class ReplacedError extends RefusedError {}

export type State = "connecting" | "open" | "waiting" | "stopped";

export interface StateDetail {
  state: State;
  /** With `waiting`: how long until the next attempt. */
  retryMs?: number;
  /** With `waiting`: the browser has no network; the next attempt follows as soon as it has. */
  offline?: boolean;
  /** With `open`: the server has the additions; without them nothing is numbered. */
  numbered?: boolean;
  /** With `open`: the server held what came meanwhile. */
  resumed?: boolean;
  /** With `stopped`, unless `close` was called. */
  error?: Error;
}

export type Presence = "here" | "away" | "absent";

// An interface is no subtype of a type with an index signature, hence `object` for what is sent.
export type Message = Record<string, any>;

export interface ClientEvents {
  state: CustomEvent<StateDetail>;
  message: CustomEvent<{ from: string; message: Message }>;
  presence: CustomEvent<{ peer: string; state: Presence }>;
  /** What the server could not do, where no `send` fails for it. */
  problem: CustomEvent<{ peer: string; code?: string; message?: string }>;
}

export interface Timers {
  setTimeout(call: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** Milliseconds of a clock that goes on while the machine sleeps. */
  now(): number;
}

export interface ClientOptions {
  /** While somebody else has the id, come back with back-off instead of stopping. */
  waitForId?: boolean;
  /** Where the token outlives a reload of the page: `sessionStorage`, for one. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** The class of a library, where there is no global one. */
  WebSocket?: new (url: string) => any;
  /** From 0 to below 1. */
  random?: () => number;
  crypto?: Pick<Crypto, "getRandomValues">;
  timers?: Timers;
  /** Where `online`, `offline`, `pageshow` and `pagehide` come from. */
  window?: EventTarget;
  /** Where `visibilitychange` comes from. */
  document?: EventTarget & { readonly hidden: boolean };
  navigator?: { readonly onLine: boolean };
}

/** A peer of a signalling server. */
export class SignallingClient extends EventTarget {
  /** Throws for a URL or an id that can never be used. */
  constructor(url: string | URL, peerId: string, options?: ClientOptions);
  readonly id: string;
  readonly state: State;
  /** Fulfilled when the connection is open for the first time, rejected when it never will be. */
  readonly opened: Promise<void>;
  /** Connect, and stay connected until `close`. Returns `opened`. */
  connect(): Promise<void>;
  /** Leave, for good or until `connect`. The server takes this peer for gone at once. */
  close(): void;
  /** Fulfilled when the message has arrived; rejected when it may not have. */
  send(peer: string, message: object): Promise<void>;
  /** Have `presence` events of these peers, over reconnections too. */
  watch(...peers: string[]): void;
  unwatch(...peers: string[]): void;

  addEventListener<Type extends keyof ClientEvents>(
    type: Type,
    listener: ((event: ClientEvents[Type]) => void) | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;
  removeEventListener<Type extends keyof ClientEvents>(
    type: Type,
    listener: ((event: ClientEvents[Type]) => void) | null,
    options?: EventListenerOptions | boolean,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: EventListenerOptions | boolean,
  ): void;
}

/** How long to wait after so many failures in a row. */
export function backoffMs(attempt: number, random?: () => number): number;

/** What follows from a close: an error for good, or a time to wait. */
export function afterClose(
  code: number,
  reason: string,
  options: { attempt: number; waitForId?: boolean; random?: () => number },
): { error: RefusedError; retryMs?: undefined } | { error?: undefined; retryMs: number };
