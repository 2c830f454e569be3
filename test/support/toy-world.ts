// Everything an end-to-end test needs, on loopback: a mirror with a signed archive, a registry, and an image with
// upgrades pending in the registry and in a layout.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Document } from '../../src/oci/image-store.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { silentLog } from '../../src/base/log.ts';
import { openLayout } from '../../src/stores/layout/index.ts';
import { openRegistry } from '../../src/stores/registry/index.ts';
import type { TestServer } from './http-server.ts';
import { startRegistry } from './registry.ts';
import type { TestRegistry, TestRegistryOptions } from './registry.ts';
import { serveFiles } from './serve-files.ts';
import { makeArchive, makeKey } from './toy-archive.ts';
import type { Archive, ArchiveOptions, ToyKey } from './toy-archive.ts';
import { NEW, OLD, putToyImage } from './toy-debian.ts';

export interface ToyWorld extends AsyncDisposable {
  readonly folder: string;
  readonly key: ToyKey;
  readonly archive: Archive;
  readonly mirror: TestServer;
  readonly registry: TestRegistry;
  /** `HOST/toys/web:base`. */
  readonly image: string;
  /** `oci:FOLDER/layout:base`. */
  readonly layout: string;
  readonly document: Document;
}

export async function startToyWorld(
  options: { readonly archive?: Omit<ArchiveOptions, 'key'>; readonly registry?: TestRegistryOptions } = {},
): Promise<ToyWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'onlay-e2e-'));
  const key = await makeKey();
  const archive = await makeArchive(NEW, { key, ...options.archive });
  const mirror = await serveFiles(archive);
  const registry = await startRegistry(options.registry);
  const reference = parseReference(`${registry.host}/toys/web:base`);
  const [username, password] = Object.entries(options.registry?.auth?.users ?? {})[0] ?? [];
  const stores = [
    await openLayout(join(folder, 'layout'), { create: true }),
    ...(options.registry?.readOnly
      ? []
      : [openRegistry(reference, { env: {}, log: silentLog, username, password })]),
  ];
  const image = { url: mirror.url, key };
  let document: Document | undefined;
  for (const store of stores) document = await putToyImage(store, OLD, image, 'base');
  return {
    folder,
    key,
    archive,
    mirror,
    registry,
    image: `${registry.host}/toys/web:base`,
    layout: `oci:${folder}/layout:base`,
    document: document as Document,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      await registry[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A Trivy report about packages of the toy image. */
export function toyReport(
  findings: readonly { readonly name: string; readonly fixed: string }[],
  about: {
    readonly diffIds?: readonly string[];
    readonly os?: string;
    readonly architecture?: string;
  } = {},
): string {
  return JSON.stringify({
    SchemaVersion: 2,
    ArtifactType: 'container_image',
    Metadata: {
      OS: { Family: about.os ?? 'debian', Name: '12.5' },
      DiffIDs: about.diffIds,
      ImageConfig: { architecture: about.architecture ?? 'amd64' },
    },
    Results: [
      {
        Class: 'os-pkgs',
        Type: about.os ?? 'debian',
        Vulnerabilities: findings.map(({ name, fixed }, index) => ({
          VulnerabilityID: `CVE-2026-${index + 1}`,
          PkgName: name,
          InstalledVersion: '1.0-1',
          FixedVersion: fixed,
          Severity: 'HIGH',
        })),
      },
    ],
  });
}
