// Resolving against a test repository, with everything that a test may want to change.
import type { Log, LogFields } from '../../src/base/log.ts';
import { silentProgress } from '../../src/base/log.ts';
import { createFetch } from '../../src/mirrors/index.ts';
import type { MirrorOptions } from '../../src/mirrors/index.ts';
import type { Distro } from '../../src/packages/distro.ts';
import type { ResolveRequest } from '../../src/packages/family.ts';
import type { Resolution } from '../../src/packages/package.ts';
import { resolveDpkg } from '../../src/packages/dpkg/resolve.ts';
import { readStatus } from '../../src/packages/dpkg/status.ts';
import { memoryRoot } from './memory-root.ts';

export interface ResolveToy extends Partial<ResolveRequest> {
  /** Lines of etc/apt/sources.list. */
  readonly sources?: readonly string[];
  /** Stanzas of the status file, "name version" or "name version Field: value; Field: value". */
  readonly installed: readonly string[];
  /** Further files of the image. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly mirrors?: Partial<MirrorOptions>;
  readonly distro?: Distro;
  readonly imageArch?: string;
  readonly kind?: 'dpkg' | 'status.d';
}

export interface ResolvedToy extends Resolution {
  readonly warnings: readonly string[];
  readonly requests: number;
}

/** Default: everything is wanted, now. */
export async function resolveToy(toy: ResolveToy): Promise<ResolvedToy> {
  const warnings: string[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn: (message: string, fields?: LogFields) =>
      void warnings.push(`${message} ${JSON.stringify(fields ?? {})}`),
  };
  const root = memoryRoot({ 'etc/apt/sources.list': (toy.sources ?? []).join('\n'), ...toy.files });
  await using fetch = createFetch({
    mirrors: [],
    env: {},
    log,
    progress: silentProgress,
    retry: { attempts: 2, firstMs: 1, maxMs: 10, maxRetryAfterMs: 10 },
    ...toy.mirrors,
  });
  const resolution = await resolveDpkg({
    root,
    distro: toy.distro,
    imageArch: toy.imageArch ?? 'amd64',
    status: readStatus(toy.installed.map(statusStanza).join('\n'), 'status'),
    kind: toy.kind ?? 'dpkg',
    request: {
      fetch,
      wanted: 'all',
      repositories: [],
      allowNew: true,
      now: Date.now() + 1000,
      log,
      trustKeys: [],
      onlyTrustKeys: false,
      allowUnsigned: false,
      ...toy,
    },
  });
  return { ...resolution, warnings, requests: fetch.stats.requests };
}

function statusStanza(row: string): string {
  const [, name = '', arch = 'amd64', version = '', rest = ''] =
    /^(\S+?)(?::(\w+))? (\S+)\s*(.*)$/.exec(row) ?? [];
  const fields = rest
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const status = fields.some((field) => field.startsWith('Status:')) ? [] : ['Status: install ok installed'];
  return [`Package: ${name}`, ...status, `Architecture: ${arch}`, `Version: ${version}`, ...fields]
    .map((line) => `${line}\n`)
    .join('');
}
