// What becomes of standard output and standard error when nobody reads them or nothing more fits: a reader that has
// enough (`| head`) is no failure, a full disk is one, and neither ends in a stack trace.
import { OnlayError, messageOf } from '../errors.ts';
import type { Streams } from './streams.ts';

export interface WatchedOutput {
  /** Waits until all is written; why something was not. */
  failure(): Promise<OnlayError | undefined>;
}

export function watchOutput({ stdout, stderr }: Pick<Streams, 'stdout' | 'stderr'>): WatchedOutput {
  let failure: NodeJS.ErrnoException | undefined;
  stdout.on('error', (error) => void (failure ??= error));
  // there is no place left to tell it
  stderr.on('error', () => undefined);
  return {
    async failure() {
      await new Promise<void>((resolve) => stdout.write('', () => resolve()));
      if (!failure || failure.code === 'EPIPE') return undefined;
      const why = failure.code === 'ENOSPC' ? 'no space is left on the device' : messageOf(failure);
      return new OnlayError('INTERNAL', `Cannot write standard output: ${why}`, {
        hint: 'the run itself is done; only what it says is lost',
        cause: failure,
      });
    },
  };
}
