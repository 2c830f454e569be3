// What a run of the command touches outside itself, passed in so that tests and the library have their own.
import type { Terminal } from './terminal.ts';

/** What a run touches outside itself. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The streams of one run, what it warned of, and what ends it early. */
export interface RunStreams extends Streams {
  readonly warnings: string[];
  readonly signal?: AbortSignal;
  /** Where errors are told once a session is open. */
  readonly told: { terminal?: Terminal };
}
