// Every kind of image store, as an empty place to be filled. A new store adds its line here and passes stores.test.ts.
// The registry store stands there twice: before the registry of these tests and before Debian's docker-registry.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { silentLog } from '../../src/base/log.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { ConnectionPool } from '../../src/stores/registry/index.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { startFaultProxy, type Rule } from '../support/fault-proxy.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { openForTest, testClock } from '../support/registry-client.ts';
import { startRegistry } from '../support/registry.ts';

export interface OpenOptions {
  readonly access: 'read' | 'write';
  readonly signal?: AbortSignal;
}

/** Somewhere images can be put; opened again, it shows what was put there before. */
export interface StorePlace extends AsyncDisposable {
  open(options: OpenOptions): Promise<ImageStore>;
  /** Everything that lies there, where that is a folder. */
  files?(): Promise<readonly string[]>;
  /** For what is reached over a connection: lets something go wrong there, and tells which ranges were asked for. */
  readonly connection?: { breakBy(rules: readonly Rule[]): void; ranges(): readonly string[] };
}

export interface StoreKind {
  readonly name: string;
  /** One place keeps several images under several names. */
  readonly severalNames: boolean;
  /** Blobs stay when the run that brought them breaks off; the next one does not bring them again. */
  readonly keepsBlobs: boolean;
  /** The name an image has there, made of its tag. */
  nameOf(tag: string): string;
  /** A reason instead, where what it needs is not to be had. */
  create(): Promise<StorePlace | string>;
}

const tagAlone = (tag: string): string => tag;
const wholeName = (tag: string): string => `registry.example/team/app:${tag}`;

/** Started once for all tests; the owner of the list closes it. */
const servers: AsyncDisposable[] = [];
export const closeServers = async (): Promise<void> => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
};

export const storeKinds: readonly StoreKind[] = [
  {
    name: 'memory (of the tests)',
    severalNames: true,
    keepsBlobs: true,
    nameOf: wholeName,
    create: memory,
  },
  {
    name: 'registry (of the tests)',
    severalNames: true,
    keepsBlobs: true,
    nameOf: tagAlone,
    create: registryKind(async () => {
      const server = await startRegistry({ location: 'absolute', strictAccept: true });
      servers.push(server);
      return server.url;
    }),
  },
  {
    name: 'registry (docker-registry)',
    severalNames: true,
    keepsBlobs: true,
    nameOf: tagAlone,
    create: registryKind(async () => {
      const started = await startDockerRegistry();
      if (!started.registry) return started;
      servers.push(started.registry);
      return started.registry.url;
    }),
  },
  {
    name: 'layout',
    severalNames: true,
    keepsBlobs: true,
    nameOf: wholeName,
    create: () => place((folder) => `oci:${join(folder, 'layout')}`),
  },
  {
    name: 'oci-archive',
    severalNames: true,
    keepsBlobs: false,
    nameOf: wholeName,
    create: () => place((folder) => `oci-archive:${join(folder, 'a.tar')}`),
  },
  {
    name: 'docker-archive',
    severalNames: true,
    keepsBlobs: false,
    nameOf: wholeName,
    create: () => place((folder) => `docker-archive:${join(folder, 'a.tar')}`),
  },
  {
    name: 'standard streams',
    severalNames: false,
    keepsBlobs: false,
    nameOf: wholeName,
    create: streams,
  },
];

async function memory(): Promise<StorePlace> {
  const store = new MemoryStore({ complete: true });
  const open = async ({ signal }: OpenOptions): Promise<ImageStore> => {
    store.signal = signal;
    return store;
  };
  return { open, async [Symbol.asyncDispose]() {} };
}

/** Each place is a repository of its own, reached through a proxy that can do wrong. */
function registryKind(start: () => Promise<string | { readonly reason: string }>): StoreKind['create'] {
  let started: Promise<string | { readonly reason: string }> | undefined;
  let count = 0;
  return async () => {
    const upstream = await (started ??= start());
    if (typeof upstream !== 'string') return upstream.reason;
    const proxy = await startFaultProxy(upstream);
    const reference = `${proxy.host}/team/app-${++count}`;
    const pool = new ConnectionPool({ clock: testClock() });
    return {
      open: async ({ signal }) => openForTest(reference, { pool, ...(signal && { signal }) }).store,
      connection: {
        breakBy: (rules) => proxy.reset(rules),
        ranges: () =>
          proxy.requests.flatMap(({ headers: { range } }) => (range === undefined ? [] : [range])),
      },
      async [Symbol.asyncDispose]() {
        await pool[Symbol.asyncDispose]();
        await proxy[Symbol.asyncDispose]();
      },
    };
  };
}

async function place(reference: (folder: string) => string): Promise<StorePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'onlay-test-'));
  const stdin = new PassThrough();
  const options = { stdin, stdout: stdin, log: silentLog, registry: { env: {}, log: silentLog } };
  return {
    open: ({ access, signal }) =>
      openStore(parseTransport(reference(folder)), { ...options, ...(signal && { signal }) }, access),
    files: async () => (await readdir(folder, { recursive: true })).sort(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** What one run writes to standard output is what the next reads from standard input. */
async function streams(): Promise<StorePlace> {
  let written: Buffer[] = [];
  const open = ({ access, signal }: OpenOptions): Promise<ImageStore> => {
    const stdout = new PassThrough();
    if (access === 'write') {
      const chunks: Buffer[] = [];
      stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      written = chunks;
    }
    const stdin = new PassThrough();
    stdin.end(Buffer.concat(written));
    const options = { stdin, stdout, log: silentLog, registry: { env: {}, log: silentLog } };
    return openStore(parseTransport('-'), { ...options, ...(signal && { signal }) }, access);
  };
  return { open, async [Symbol.asyncDispose]() {} };
}
