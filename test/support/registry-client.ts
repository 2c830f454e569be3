// Opening a registry the way tests need it: no configuration of this machine, no real pauses, everything written down.
import type { Log, LogFields } from '../../src/base/log.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  ConnectionPool,
  openRegistry,
  type Clock,
  type RegistryOptions,
  type RequestEvent,
} from '../../src/stores/registry/index.ts';

/** A clock on which pauses take no time; `slept` is what they would have taken, in milliseconds. */
export interface TestClock extends Clock {
  readonly slept: number[];
}

export function testClock(): TestClock {
  const slept: number[] = [];
  let skipped = 0;
  return {
    slept,
    now: () => performance.now() + skipped,
    date: () => Date.now() + skipped,
    sleep: async (ms) => {
      slept.push(ms);
      skipped += ms;
    },
  };
}

export interface TestLog extends Log {
  readonly lines: string[];
}

export function testLog(): TestLog {
  const lines: string[] = [];
  const add = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  return { lines, debug: add('debug'), info: add('info'), warn: add('warn') };
}

export interface OpenedRegistry extends AsyncDisposable {
  readonly store: ImageStore;
  readonly pool: ConnectionPool;
  readonly clock: TestClock;
  readonly log: TestLog;
  readonly events: RequestEvent[];
}

/** Opens `reference` with a pool of its own. */
export function openForTest(reference: string, options: Partial<RegistryOptions> = {}): OpenedRegistry {
  const clock = testClock();
  const log = testLog();
  const events: RequestEvent[] = [];
  const pool = options.pool ?? new ConnectionPool({ clock });
  const store = openRegistry(parseReference(reference), {
    env: {},
    log,
    random: () => 0.5,
    onRequest: (event) => events.push(event),
    ...options,
    pool,
  });
  return {
    store,
    pool,
    clock,
    log,
    events,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
    },
  };
}
