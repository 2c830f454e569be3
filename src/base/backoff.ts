// When to try again and after how long: exponential with jitter, and Retry-After in both of its forms (RFC 9110 section
// 10.2.3). Each adapter has a policy of its own.

export interface RetryPolicy {
  /** Attempts altogether. */
  readonly attempts: number;
  readonly firstMs: number;
  readonly maxMs: number;
  /** A server that wants a longer pause than this gets none: waiting is the user's decision. */
  readonly maxRetryAfterMs: number;
}

const STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 499, 500, 502, 503, 504, 522]);

export function isRetryable(status: number): boolean {
  return STATUSES.has(status);
}

/** The pause before the attempt after `failed` ones: the first, twice that, …, each between half and all of it. */
export function pauseAfter(failed: number, random: () => number, policy: RetryPolicy): number {
  const full = Math.min(policy.firstMs * 2 ** (failed - 1), policy.maxMs);
  return full * (0.5 + random() / 2);
}

/** As `pauseAfter`, but no shorter than the server `asked` for; undefined when there is to be no further attempt. */
export function nextPause(
  failed: number,
  random: () => number,
  policy: RetryPolicy,
  asked: number | undefined,
): number | undefined {
  if (failed >= policy.attempts || (asked ?? 0) > policy.maxRetryAfterMs) return undefined;
  return Math.max(asked ?? 0, pauseAfter(failed, random, policy));
}

/** The pause a server asks for, in milliseconds; undefined without or with an unreadable Retry-After. */
export function retryAfter(
  answer: { header(name: string): string | undefined },
  now: number,
): number | undefined {
  const value = answer.header('retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  // the server's own clock is the better reference for its date
  const then = Date.parse(answer.header('date') ?? '');
  return Number.isNaN(date) ? undefined : Math.max(0, date - (Number.isNaN(then) ? now : then));
}
