// When a failed request is tried again, and after how long.

export interface RetryPolicy {
  /** Tries altogether. */
  readonly attempts: number;
  /** Milliseconds before the second try; doubles each time, with a random half on top. */
  readonly delay: number;
  /** Longest pause; a server that asks for more (Retry-After) is not waited for. */
  readonly maxDelay: number;
}

export const RETRY: RetryPolicy = { attempts: 4, delay: 500, maxDelay: 60_000 };

const STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504, 522];

export function isTransientStatus(status: number): boolean {
  return STATUSES.includes(status);
}

/** Pause in milliseconds before try `attempt` (2, 3, …); undefined: do not try again. */
export function pauseBefore(
  attempt: number,
  policy: RetryPolicy,
  retryAfter: number | undefined,
): number | undefined {
  if (attempt > policy.attempts) return undefined;
  if (retryAfter !== undefined) return retryAfter <= policy.maxDelay ? retryAfter : undefined;
  const base = Math.min(policy.delay * 2 ** (attempt - 2), policy.maxDelay);
  return base + Math.random() * base * 0.5;
}

/** Value of a Retry-After header (RFC 9110 section 10.2.3) in milliseconds from `now`. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
