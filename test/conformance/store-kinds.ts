// Every kind of image store, as an empty place to be filled. A new store adds its line here and passes stores.test.ts.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { silentLog } from '../../src/base/log.ts';
import type { ImageStore } from '../../src/oci/image-store.ts';
import { openStore, parseTransport } from '../../src/stores/index.ts';
import { MemoryStore } from '../support/memory-store.ts';

/** Somewhere images can be put; opened again, it shows what was put there before. */
export interface StorePlace extends AsyncDisposable {
  open(access: 'read' | 'write'): Promise<ImageStore>;
}

export interface StoreKind {
  readonly name: string;
  /** One place keeps several images under several names. */
  readonly severalNames: boolean;
  create(): Promise<StorePlace>;
}

export const storeKinds: readonly StoreKind[] = [
  { name: 'memory (of the tests)', severalNames: true, create: memory },
  { name: 'layout', severalNames: true, create: () => place((folder) => `oci:${join(folder, 'layout')}`) },
  {
    name: 'oci-archive',
    severalNames: true,
    create: () => place((folder) => `oci-archive:${join(folder, 'a.tar')}`),
  },
  {
    name: 'docker-archive',
    severalNames: true,
    create: () => place((folder) => `docker-archive:${join(folder, 'a.tar')}`),
  },
  { name: 'standard streams', severalNames: false, create: streams },
];

async function memory(): Promise<StorePlace> {
  const store = new MemoryStore({ complete: true });
  return { open: async () => store, async [Symbol.asyncDispose]() {} };
}

async function place(reference: (folder: string) => string): Promise<StorePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'onlay-test-'));
  const stdin = new PassThrough();
  const options = { stdin, stdout: stdin, log: silentLog, registry: { env: {}, log: silentLog } };
  return {
    open: (access) => openStore(parseTransport(reference(folder)), options, access),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** What one run writes to standard output is what the next reads from standard input. */
async function streams(): Promise<StorePlace> {
  let written: Buffer[] = [];
  const open = (access: 'read' | 'write'): Promise<ImageStore> => {
    const stdout = new PassThrough();
    if (access === 'write') {
      const chunks: Buffer[] = [];
      stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      written = chunks;
    }
    const stdin = new PassThrough();
    stdin.end(Buffer.concat(written));
    const options = { stdin, stdout, log: silentLog, registry: { env: {}, log: silentLog } };
    return openStore(parseTransport('-'), options, access);
  };
  return { open, async [Symbol.asyncDispose]() {} };
}
