// Who may import whom: the table of docs/architecture.md, checked against every import of src.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from './support/project.ts';

/** Folder → what it may import. `name/file` allows that file only; `name (types)` allows type imports only. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  base: [],
  codec: ['base'],
  archive: ['base'],
  trust: ['base'],
  oci: ['base', 'codec'],
  rootfs: ['base', 'archive', 'codec'],
  packages: ['base', 'rootfs (types)', 'trust', 'packages/dpkg', 'packages/apk', 'packages/rpm'],
  'packages/dpkg': ['base', 'codec', 'archive', 'rootfs', 'trust', 'packages'],
  'packages/apk': ['base', 'codec', 'archive', 'rootfs', 'trust', 'packages'],
  'packages/rpm': ['base', 'codec', 'archive', 'rootfs', 'trust', 'packages'],
  effects: ['base', 'rootfs'],
  distros: ['base', 'rootfs (types)', 'packages (types)'],
  reports: ['base', 'packages (types)'],
  plan: ['base', 'packages', 'distros', 'reports'],
  patch: ['oci', 'rootfs', 'packages', 'effects', 'distros', 'reports', 'plan', 'archive', 'codec', 'base'],
  stores: ['oci', 'base', 'archive', 'codec'],
  mirrors: ['packages/fetch.ts', 'base'],
  output: ['plan', 'patch (types)', 'oci', 'base'],
  cli: ['*'],
  'index.ts': ['*'],
};

const src = join(projectRoot, 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
);

function roomOf(file: string): string {
  const parts = file.split('/');
  if (parts.length === 1) return file;
  const family = parts[0] === 'packages' && parts.length > 2 ? parts.slice(0, 2).join('/') : undefined;
  return family ?? (parts[0] as string);
}

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const statements = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)/gm,
  );
  return [...statements].map(([, type, from, dynamic]) => ({
    file,
    target: relative(src, resolve(dirname(join(src, file)), (from ?? dynamic) as string)),
    typeOnly: type !== undefined,
  }));
}

function isAllowed({ file, target, typeOnly }: Import): boolean {
  const from = roomOf(file);
  const to = roomOf(target);
  if (from === to || target === 'errors.ts') return true;
  const allowed = ALLOWED[from] ?? [];
  return (
    allowed.includes('*') ||
    allowed.includes(to) ||
    allowed.includes(target) ||
    (typeOnly && allowed.includes(`${to} (types)`))
  );
}

test('every folder of src stands in the import table', () => {
  assert.deepEqual(
    [...new Set(files.map(roomOf))].filter((room) => !(room in ALLOWED)),
    [],
  );
});

test('imports follow the table', () => {
  const wrong = files.flatMap(importsOf).filter((item) => !isAllowed(item));
  assert.deepEqual(
    wrong.map(({ file, target }) => `${file} → ${target}`),
    [],
  );
});

test('no package name, distro id or registry quirk is compared outside of the folder that owns it', () => {
  const owners = ['distros/', 'effects/', 'packages/', 'reports/', 'stores/registry/', 'cli/'];
  const wrong = files
    .filter((file) => !owners.some((owner) => file.startsWith(owner)))
    .filter((file) => /\b(?:distro|osRelease)(?:\?)?\.id\s*===/.test(readFileSync(join(src, file), 'utf8')));
  assert.deepEqual(wrong, []);
});
