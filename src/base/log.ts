// What a run says while it runs. Messages are constant text plus fields; they go to standard error, never to
// standard output, and pass through redaction in the adapter (cli/).

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  /** Also collected into `warnings` of the result. */
  warn(message: string, fields?: LogFields): void;
}

/** One transfer or computation whose advance can be shown. */
export interface Task {
  advance(bytes: number): void;
  /** `note` replaces the size at the end, e.g. "cached". */
  done(note?: string): void;
}

/** Progress for people; counts bytes where `total` is known. */
export interface Progress {
  start(label: string, total?: number): Task;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {} };
export const silentProgress: Progress = { start: () => ({ advance() {}, done() {} }) };
