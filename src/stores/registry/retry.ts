// The loop around an exchange: waits its turn at the host, tries again while it makes sense, keeps pauses a server asks
// for. What comes out at last is the answer, good or bad, or the failure of the last attempt.
import { throwIfAborted } from '../../base/abort.ts';
import { isRetryable, nextPause, pauseAfter, retryAfter, type RetryPolicy } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { Answer } from './answer.ts';
import type { Clock } from './clock.ts';
import { ExchangeFailure } from './failure.ts';
import type { Host } from './host.ts';

export interface RetrierOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
}

const RETRY: RetryPolicy = { attempts: 5, firstMs: 250, maxMs: 30_000, maxRetryAfterMs: 60_000 };

/** A host that has never been reached is probably not there. */
const ATTEMPTS_UNSEEN = 3;

export class Retrier {
  readonly #options: RetrierOptions;

  constructor(options: RetrierOptions) {
    this.#options = options;
  }

  /** `send` may be called several times. */
  async run(host: Host, kind: 'reads' | 'writes', send: () => Promise<Answer>): Promise<Answer> {
    for (let failed = 1; ; failed++) {
      const outcome = await this.once(host, kind, send);
      if (await this.again(host, outcome, failed)) continue;
      if (outcome instanceof ExchangeFailure) throw outcome;
      return outcome;
    }
  }

  /** One attempt, when the host is ready for it. */
  async once(
    host: Host,
    kind: 'reads' | 'writes',
    send: () => Promise<Answer>,
  ): Promise<Answer | ExchangeFailure> {
    await this.#waiting(() => host.ready(this.#options.clock, this.#options.signal));
    try {
      const answer = await host[kind].run(send);
      host.answered = true;
      return answer;
    } catch (error) {
      if (error instanceof ExchangeFailure) return error;
      throw error;
    }
  }

  /** Whether another attempt makes sense after `failed` ones; if so, the answer is dropped and the pause is over. */
  async again(host: Host, outcome: Answer | ExchangeFailure, failed: number): Promise<boolean> {
    const { clock, log, random } = this.#options;
    const asked = outcome instanceof Answer ? retryAfter(outcome, clock.date()) : undefined;
    const retryable =
      outcome instanceof Answer
        ? isRetryable(outcome.status)
        : outcome.retryable && (host.answered || (outcome.kind !== 'refused' && failed < ATTEMPTS_UNSEEN));
    const pause = retryable ? nextPause(failed, random, RETRY, asked) : undefined;
    if (pause === undefined) return false;
    if (outcome instanceof Answer) {
      await outcome.discard();
      if (outcome.status === 429) host.slowDown();
      if (outcome.status === 429 || asked !== undefined) host.pause(pause, clock);
    }
    log.debug('trying again', {
      after: outcome instanceof Answer ? outcome.status : outcome.message,
      milliseconds: Math.round(pause),
    });
    await this.#waiting(() => clock.sleep(pause, this.#options.signal));
    return true;
  }

  /** A pause as after `failed` attempts, for what failed in another way than `again` knows. */
  async rest(failed: number): Promise<void> {
    const { clock, random, signal } = this.#options;
    await this.#waiting(() => clock.sleep(pauseAfter(failed, random, RETRY), signal));
  }

  async #waiting(wait: () => Promise<void>): Promise<void> {
    try {
      await wait();
    } catch (error) {
      throwIfAborted(this.#options.signal);
      throw error;
    }
  }
}
