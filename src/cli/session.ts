// What every command that reaches out needs: terminal, time limit, mirrors, stores, caches. Opened from flags, closed at
// the end, whatever happens.
import { createReadStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { OnlayError, messageOf } from '../errors.ts';
import { collect } from '../base/streams.ts';
import type { ErrorCode } from '../errors.ts';
import { createFetch } from '../mirrors/index.ts';
import type { MirrorFetch } from '../mirrors/index.ts';
import { openLayerCache } from '../patch/layer-cache.ts';
import type { LayerCache } from '../patch/layer-cache.ts';
import type { StoreOptions } from '../stores/index.ts';
import { ConnectionPool } from '../stores/registry/connection-pool.ts';
import type { RunStreams, Streams } from './streams.ts';
import { parseDuration } from './values.ts';
import type { OutputFlags, TransportFlags } from './options.ts';
import { openTerminal } from './terminal.ts';
import type { Terminal } from './terminal.ts';

export interface Session extends AsyncDisposable {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly fetch: MirrorFetch;
  readonly stores: StoreOptions;
  readonly cache: LayerCache | undefined;
}

export async function openSession(
  flags: TransportFlags & OutputFlags & { readonly mirror?: readonly string[] },
  streams: RunStreams,
  terminal: Terminal = openTerminal({
    stream: streams.stderr,
    mode: flags.progress === 'auto' && streams.env['TERM'] === 'dumb' ? 'plain' : flags.progress,
    warnings: streams.warnings,
    debug: flags.debug === true,
    color: streams.stderr.isTTY && (streams.env['NO_COLOR'] ?? '') === '',
  }),
): Promise<Session> {
  streams.told.terminal = terminal;
  const timeout = parseDuration(flags.timeout);
  const controller = new AbortController();
  const expire = setTimeout(
    () =>
      controller.abort(
        new OnlayError('TIMEOUT', `Not done within ${flags.timeout}`, { hint: 'allow more with --timeout' }),
      ),
    Math.min(timeout, 2 ** 31 - 1),
  );
  expire.unref();
  const signal = streams.signal ? AbortSignal.any([streams.signal, controller.signal]) : controller.signal;
  const cacheDir = flags.cache ? flags.cacheDir || defaultCache(streams.env) : undefined;
  const { log, progress } = terminal;
  const caFiles = flags.ca ?? [];
  const pool = new ConnectionPool();
  const fetch = createFetch({
    mirrors: flags.mirror ?? [],
    ...(cacheDir === undefined ? {} : { cacheDir }),
    env: streams.env,
    log,
    progress,
    signal,
    caFiles,
    insecureHosts: flags.insecure ?? [],
  });
  return {
    terminal,
    signal,
    fetch,
    cache: cacheDir === undefined ? undefined : openLayerCache(cacheDir, log),
    stores: {
      stdin: streams.stdin,
      stdout: streams.stdout,
      log,
      signal,
      registry: {
        env: streams.env,
        log,
        progress,
        signal,
        caFiles,
        insecure: flags.insecure ?? [],
        plainHttp: flags.plainHttp ?? [],
        trustedRealms: flags.trustedRealm ?? [],
        pool,
        onRequest: ({ method, url, status, failure, milliseconds }) =>
          log.debug('request', {
            method,
            url: url.replace(/\?.*/, ''),
            status: status ?? failure,
            milliseconds: Math.round(milliseconds),
          }),
        ...(flags.authfile === undefined ? {} : { authfile: flags.authfile }),
      },
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(expire);
      terminal.close();
      await Promise.all([fetch[Symbol.asyncDispose](), pool[Symbol.asyncDispose]()]);
    },
  };
}

/** $XDG_CACHE_HOME/onlay, else ~/.cache/onlay; none where there is no home. */
export function defaultCache(env: Streams['env']): string | undefined {
  const base = env['XDG_CACHE_HOME'];
  if (base !== undefined && base.startsWith('/')) return join(base, 'onlay');
  const home = env['HOME'] ?? homedir();
  return home === '' || home === '/' ? undefined : join(home, '.cache', 'onlay');
}

/** A file the user named; `code` when it cannot be read. */
export async function readUserFile(
  path: string,
  flag: string,
  code: ErrorCode = 'USAGE',
): Promise<Uint8Array> {
  try {
    // a stream: sizes of pipes and devices are not known before
    return await collect(createReadStream(path), { limit: USER_FILE_LIMIT, what: path });
  } catch (error) {
    const why = FAILURES[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error);
    throw new OnlayError(code, `Cannot read ${path} given with ${flag}: ${why}`, {
      hint: 'check the path, and that it may be read',
      cause: error,
    });
  }
}

/** No report, key or plan is as large. */
const USER_FILE_LIMIT = 512 * 1024 * 1024;

const FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'access is denied',
  LIMIT_EXCEEDED: 'it is larger than 512 MiB',
};
