// What people see while a run goes on, on standard error: bars with bytes on a terminal, plain lines elsewhere, one JSON
// object a line for `rawjson`, nothing but warnings and errors for `quiet`.
import cliProgress from 'cli-progress';
import picocolors from 'picocolors';
import { redact } from '../errors.ts';
import { silentProgress } from '../base/log.ts';
import type { Log, LogFields, Progress, Task } from '../base/log.ts';

export type ProgressMode = 'auto' | 'plain' | 'tty' | 'quiet' | 'rawjson';
export const PROGRESS_MODES: readonly ProgressMode[] = ['auto', 'plain', 'tty', 'quiet', 'rawjson'];

export interface Terminal {
  readonly log: Log;
  readonly progress: Progress;
  /** Every warning so far, for the result. */
  readonly warnings: readonly string[];
  error(message: string, hint: string | undefined): void;
  /** Ends bars; further output is plain. */
  close(): void;
}

interface TerminalOptions {
  readonly stream: NodeJS.WriteStream;
  readonly mode: ProgressMode;
  /** Warnings are added to it. */
  readonly warnings: string[];
  readonly debug: boolean;
  readonly color: boolean;
}

/** For callers without a terminal: what is said goes to `log`, progress nowhere. */
export function terminalOf(log: Log): Terminal {
  const warnings: string[] = [];
  return {
    log: {
      ...log,
      warn(message, fields) {
        const text = redact(message + formatFields(fields));
        if (warnings.includes(text)) return;
        warnings.push(text);
        log.warn(message, fields);
      },
    },
    progress: silentProgress,
    warnings,
    error() {},
    close() {},
  };
}

export function openTerminal({ stream, mode, warnings, debug, color }: TerminalOptions): Terminal {
  const style = picocolors.createColors(color);
  const bars = mode === 'tty' || (mode === 'auto' && stream.isTTY) ? openBars(stream) : undefined;
  const line = (text: string): void => (bars ? bars.print(text) : void stream.write(`${text}\n`));
  const event = (level: string, message: string, fields: LogFields | undefined): void => {
    stream.write(`${redact(JSON.stringify({ level, message, ...fields }))}\n`);
  };
  const say = (level: string, prefix: string, message: string, fields: LogFields | undefined): void => {
    if (mode === 'rawjson') event(level, message, fields);
    else line(`${prefix}${printable(redact(message + formatFields(fields)))}`);
  };
  const quiet = mode === 'quiet';
  return {
    log: {
      debug: (message, fields) => void (debug && say('debug', style.dim('debug: '), message, fields)),
      info: (message, fields) => void (!quiet && say('info', '', message, fields)),
      warn(message, fields) {
        const text = redact(message + formatFields(fields));
        if (warnings.includes(text)) return;
        warnings.push(text);
        say('warning', style.yellow('warning: '), message, fields);
      },
    },
    progress: bars ?? (mode === 'rawjson' ? eventProgress(event) : plainProgress(quiet ? () => {} : line)),
    warnings,
    error(message, hint) {
      bars?.stop();
      if (mode === 'rawjson') event('error', message, hint === undefined ? undefined : { hint });
      else {
        stream.write(`${style.red('error: ')}${message}\n`);
        if (hint !== undefined) stream.write(`${style.cyan('hint: ')}${hint}\n`);
      }
    },
    close: () => bars?.stop(),
  };
}

function formatFields(fields: LogFields | undefined): string {
  const entries = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? '' : ` (${entries.map(([name, value]) => `${name} ${value}`).join(', ')})`;
}

/** A line when something is done; nothing in between, so that CI logs stay short. */
function plainProgress(line: (text: string) => void): Progress {
  return {
    start(label, total) {
      let bytes = 0;
      return {
        advance: (count) => void (bytes += count),
        done: (note) =>
          line(printable(`${label}: ${note ?? formatBytes(bytes === 0 ? (total ?? 0) : bytes)}`)),
      };
    },
  };
}

function eventProgress(event: (level: string, message: string, fields: LogFields) => void): Progress {
  return {
    start(label, total) {
      let bytes = 0;
      event('progress', label, { status: 'started', total });
      return {
        advance: (count) => void (bytes += count),
        done: (note) => event('progress', label, { status: 'done', bytes, note }),
      };
    },
  };
}

interface Bars extends Progress {
  print(text: string): void;
  stop(): void;
}

function openBars(stream: NodeJS.WriteStream): Bars {
  const multi = new cliProgress.MultiBar({
    stream,
    hideCursor: true,
    clearOnComplete: true,
    format: '{label} {bar} {amount}',
    barsize: 24,
    fps: 8,
    gracefulExit: false,
    linewrap: false,
  });
  let open = true;
  return {
    start(name, total): Task {
      const label = printable(name);
      const width = 34;
      const shown = label.length > width ? `${label.slice(0, width - 1)}…` : label.padEnd(width);
      let bytes = 0;
      const amount = (): string =>
        total === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} / ${formatBytes(total)}`;
      const bar = open
        ? multi.create(Math.max(total ?? 1, 1), 0, { label: shown, amount: amount() })
        : undefined;
      return {
        advance(count) {
          bytes += count;
          bar?.update(total === undefined ? 0 : Math.min(bytes, total), { amount: amount() });
        },
        done(note) {
          if (!bar || !open) return;
          multi.remove(bar);
          multi.log(`${shown.trimEnd()}: ${note ?? formatBytes(bytes)}\n`);
        },
      };
    },
    print(text) {
      if (open) multi.log(`${text}\n`);
      else stream.write(`${text}\n`);
    },
    stop() {
      if (!open) return;
      open = false;
      // lines wait for the next drawing
      multi.update();
      multi.stop();
    },
  };
}

/**
 * Text of an image or a server as it may reach a terminal: without what moves the cursor, changes the title or turns the
 * direction of writing.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** Lines of hostile text for standard output. */
export function printLines(stream: NodeJS.WritableStream, lines: readonly string[]): void {
  for (const line of lines) stream.write(`${printable(line)}\n`);
}

/** Decimal units, as registries and disks count. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
