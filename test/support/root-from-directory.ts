// Real directory trees for tests of families: a directory becomes a RootView, and a change set is applied to a directory
// as a container runtime would apply the layer. Reading and extracting is GNU tar's work (owners, devices, extended
// attributes, hard links); needs root.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromByteString } from '../../src/base/bytes.ts';
import { streamOf } from '../../src/base/streams.ts';
import type { ChangeSet } from '../../src/rootfs/change-set.ts';
import { indexLayer } from '../../src/rootfs/layer-index.ts';
import type { RootPath } from '../../src/rootfs/path.ts';
import type { RootNode, RootView } from '../../src/rootfs/root-view.ts';
import { mergeLayers } from '../../src/rootfs/view.ts';
import { writeLayer } from '../../src/rootfs/write-layer.ts';

/** The tree in `directory`. By default every content is kept. */
export async function rootFromDirectory(
  directory: string,
  captures: (path: RootPath, size: number) => boolean = () => true,
): Promise<RootView> {
  const archive = await run(
    'tar',
    `--format=posix --pax-option=delete=atime,delete=ctime --numeric-owner --sort=name --xattrs --xattrs-include=* -C`
      .split(' ')
      .concat(directory, '-c', '.'),
  );
  const index = await indexLayer(streamOf(archive), {
    what: `the archive of ${directory}`,
    digest: { algorithm: 'sha256', hex: createHash('sha256').update(archive).digest('hex') },
    size: archive.length,
    captures,
    inspectors: [],
  });
  return mergeLayers([index]);
}

/** Changes `directory`, a copy of what `base` was read from. */
export async function applyChanges(directory: string, { changes }: ChangeSet, base: RootView): Promise<void> {
  for (const change of changes) {
    const path = Buffer.concat([Buffer.from(`${directory}/`), fromByteString(change.path)]);
    const type = lstatSync(path, { throwIfNoEntry: false });
    const isDirectory = change.kind === 'put' && change.node.type === 'directory';
    if (type && !(isDirectory && type.isDirectory())) rmSync(path, { recursive: true, force: true });
  }
  const rest = changes.filter(({ kind }) => kind !== 'remove');
  const tar = spawn(
    'tar',
    ['-C', directory, '-x', '-p', '--xattrs', '--xattrs-include=*', '--numeric-owner', '-f', '-'],
    {
      stdio: ['pipe', 'inherit', 'inherit'],
    },
  );
  const closed = new Promise<number | null>((resolve) => tar.once('close', resolve));
  await pipeline(writeLayer({ changes: rest }, base), tar.stdin);
  if ((await closed) !== 0) throw new Error('tar failed');
}

/** Everything of a node that a layer can say, times of files included, in a form to be compared and read. */
export function describeNode(root: RootView, node: RootNode, options: { readonly times: boolean }): string {
  const { path, type, mode, uid, gid, size, sha256, link, xattrs, mtime } = node;
  const names = type === 'file' ? root.hardLinks(path).filter((other) => other !== path) : [];
  return [
    type,
    mode.toString(8).padStart(4, '0'),
    `${uid}:${gid}`,
    ...(type === 'file' ? [String(size), sha256.slice(0, 16)] : []),
    ...(link === '' ? [] : [`-> ${link}`]),
    ...[...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`),
    ...(names.length === 0 ? [] : [`= ${names.join(' ')}`]),
    ...(options.times && type !== 'directory' ? [`@${mtime}`] : []),
  ].join(' ');
}

/** Paths on which two trees differ, each with both descriptions ('' where it is missing). */
export function differences(
  expected: RootView,
  actual: RootView,
  options: { readonly times: boolean } = { times: false },
): Map<string, readonly [expected: string, actual: string]> {
  const found = new Map<string, readonly [string, string]>();
  for (const node of expected.walk('')) {
    const other = actual.lookup(node.path);
    const [a, b] = [describeNode(expected, node, options), other ? describeNode(actual, other, options) : ''];
    if (a !== b) found.set(node.path, [a, b]);
  }
  for (const node of actual.walk(''))
    if (!expected.lookup(node.path)) found.set(node.path, ['', describeNode(actual, node, options)]);
  return found;
}

/** Why tests that need root and these programs cannot run, if so. */
export function missingTools(...programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to keep owners of files';
  const missing = programs.filter(
    (program) => !(process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program))),
  );
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

async function run(command: string, args: readonly string[]): Promise<Uint8Array> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const status = await closed;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit status ${status}`);
  return Buffer.concat(chunks);
}
