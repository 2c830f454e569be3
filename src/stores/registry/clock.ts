// Time and chance of the retry policy, passed in so that tests do not wait.
import { sleep } from '../../base/abort.ts';

export interface Clock {
  /** Milliseconds; only differences count. */
  now(): number;
  /** Resolves after `ms`, or rejects with the reason of `signal`. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>;
  /** Wall time in milliseconds, for HTTP dates. */
  date(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  sleep,
};
