// What is known about one registry host while the process runs: its scheme, how it wants to be asked for credentials,
// and how much it can bear. Shared by all stores of a pool.
import type { Clock } from './clock.ts';

export interface HostChallenge {
  readonly scheme: 'basic' | 'bearer';
  readonly realm: string;
  readonly service: string | undefined;
}

/** Requests at a time. Reads and writes count apart: a write may wait for a read that feeds it. */
const CONCURRENCY = 4;

export class Host {
  scheme: 'http' | 'https' | undefined;
  challenge: HostChallenge | undefined;
  /** True once it has answered anything. */
  answered = false;
  readonly reads: Limiter = new Limiter(CONCURRENCY);
  readonly writes: Limiter = new Limiter(CONCURRENCY);
  #notBefore = 0;

  /** Nothing is sent to this host for `ms` from now. */
  pause(ms: number, clock: Clock): void {
    this.#notBefore = Math.max(this.#notBefore, clock.now() + ms);
  }

  /** Too many requests: half as many at a time from now on. */
  slowDown(): void {
    this.reads.halve();
    this.writes.halve();
  }

  async ready(clock: Clock, signal: AbortSignal | undefined): Promise<void> {
    // another request may have prolonged the pause meanwhile
    for (let wait; (wait = this.#notBefore - clock.now()) > 0;) await clock.sleep(wait, signal);
  }
}

/** A counting semaphore whose count can shrink. */
export class Limiter {
  #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  halve(): void {
    this.#limit = Math.max(1, this.#limit >> 1);
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await task();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
