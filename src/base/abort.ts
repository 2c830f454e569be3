// Runs that are called off.
import { OnlayError } from '../errors.ts';

/** Throws the reason of `signal` when it is an OnlayError (a time limit), else ABORTED. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  const reason: unknown = signal.reason;
  throw reason instanceof OnlayError
    ? reason
    : new OnlayError('ABORTED', 'The run was cancelled', { cause: reason });
}

/** Resolves after `ms`, or rejects with the reason of `signal`. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
