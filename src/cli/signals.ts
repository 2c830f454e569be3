// Signals end a run in order: what is under way stops at its next await, and nothing half done stays.
import { constants } from 'node:os';
import { OnlayError } from '../errors.ts';

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
  /** What shells expect of a process that a signal ended; undefined when none came. */
  readonly status: number | undefined;
}

/** The first signal ends the run in order, a second one at once. */
export function listenForSignals(): Interruption {
  const controller = new AbortController();
  let status: number | undefined;
  const listeners = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((name) => {
    const listener = (): void => {
      status = 128 + constants.signals[name];
      controller.abort(new OnlayError('ABORTED', `Interrupted (${name})`));
    };
    process.once(name, listener);
    return () => process.removeListener(name, listener);
  });
  return {
    signal: controller.signal,
    get status() {
      return status;
    },
    [Symbol.dispose]: () => listeners.forEach((remove) => remove()),
  };
}
