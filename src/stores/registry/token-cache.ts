// Bearer tokens until shortly before they expire, and one request at a time for the same token.
import { SingleFlight } from '../../base/concurrency.ts';
import type { Clock } from './clock.ts';

export interface Token {
  readonly value: string;
  /** As the server says; counted from the moment of its arrival, because clocks differ. */
  readonly lifetimeMs: number;
}

/** Servers that say less mean "soon"; all clients take a minute for granted (distribution token specification). */
const MIN_LIFETIME_MS = 60_000;
const EARLY_MS = 10_000;

export class TokenCache {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, { readonly value: string; readonly until: number }>();
  readonly #flights = new SingleFlight<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  peek(key: string): string | undefined {
    const token = this.#tokens.get(key);
    return token && token.until > this.#clock.now() ? token.value : undefined;
  }

  /** The token of `key`, fetched if there is none or if it is `rejected`. */
  get(key: string, fetch: () => Promise<Token>, rejected?: string): Promise<string> {
    const known = this.peek(key);
    if (known !== undefined && known !== rejected) return Promise.resolve(known);
    return this.#flights.run(key, async () => {
      const { value, lifetimeMs } = await fetch();
      const until = this.#clock.now() + Math.max(lifetimeMs, MIN_LIFETIME_MS) - EARLY_MS;
      this.#tokens.set(key, { value, until });
      return value;
    });
  }
}
