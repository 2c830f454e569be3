// What the test registry holds: content by digest, and per repository which of it belongs there. In memory, or in a
// directory that another start finds again.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export interface Repository {
  readonly blobs: Set<string>;
  /** Digest → media type. */
  readonly manifests: Map<string, string>;
  readonly tags: Map<string, string>;
}

export interface Content {
  repository(name: string): Repository | undefined;
  /** The same, made when it is not there. */
  openRepository(name: string): Repository;
  read(digest: string): Uint8Array | undefined;
  write(digest: string, bytes: Uint8Array): void;
  /** After a repository has changed. */
  save(): void;
}

/** The digest of `bytes` by the algorithm of `model`; undefined for an algorithm that is not registered. */
export function digestLike(model: string, bytes: Uint8Array): string | undefined {
  const algorithm = /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(model)
    ? model.split(':', 1)[0]
    : undefined;
  return algorithm && `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

export function memoryContent(): Content {
  const blobs = new Map<string, Uint8Array>();
  const repositories = new Map<string, Repository>();
  return {
    repository: (name) => repositories.get(name),
    openRepository: (name) => openIn(repositories, name),
    read: (digest) => blobs.get(digest),
    write: (digest, bytes) => void blobs.set(digest, bytes),
    save: () => {},
  };
}

export function directoryContent(directory: string): Content {
  const index = join(directory, 'repositories.json');
  const repositories = loadRepositories(index);
  const pathOf = (digest: string): string => join(directory, 'blobs', ...digest.split(':'));
  for (const algorithm of ['sha256', 'sha512'])
    mkdirSync(join(directory, 'blobs', algorithm), { recursive: true });
  return {
    repository: (name) => repositories.get(name),
    openRepository: (name) => openIn(repositories, name),
    read: (digest) => readOptional(pathOf(digest)),
    write: (digest, bytes) => writeFileSync(pathOf(digest), bytes),
    save: () => {
      const saved = [...repositories].map(([name, { blobs, manifests, tags }]) => ({
        name,
        blobs: [...blobs],
        manifests: [...manifests],
        tags: [...tags],
      }));
      writeFileSync(index, JSON.stringify(saved));
    },
  };
}

function openIn(repositories: Map<string, Repository>, name: string): Repository {
  let repository = repositories.get(name);
  if (!repository)
    repositories.set(name, (repository = { blobs: new Set(), manifests: new Map(), tags: new Map() }));
  return repository;
}

function loadRepositories(index: string): Map<string, Repository> {
  const text = readOptional(index);
  const saved = text
    ? (JSON.parse(Buffer.from(text).toString()) as {
        name: string;
        blobs: string[];
        manifests: [string, string][];
        tags: [string, string][];
      }[])
    : [];
  return new Map(
    saved.map(({ name, blobs, manifests, tags }) => [
      name,
      { blobs: new Set(blobs), manifests: new Map(manifests), tags: new Map(tags) },
    ]),
  );
}

function readOptional(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
