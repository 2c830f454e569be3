// A repository in memory, served by a Fetch: packages, primary, filelists, repomd.xml and its signature, each of which a
// test may replace.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Fetch } from '../../src/packages/fetch.ts';
import { OnlayError } from '../../src/errors.ts';
import { craftRpm, type CraftedPackage } from './rpm-craft.ts';

export const REPOSITORY_URL = 'https://repo.example/base/';

export interface MemoryRepository {
  /** URL → bytes; change it before it is asked. */
  readonly files: Map<string, Uint8Array>;
  readonly fetch: Fetch;
  /** URLs that were asked for. */
  readonly asked: string[];
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const escape = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

const FLAGS: Readonly<Record<string, string>> = { '<': 'LT', '<=': 'LE', '=': 'EQ', '>=': 'GE', '>': 'GT' };

export function memoryRepository(
  packages: readonly CraftedPackage[],
  options: {
    readonly primary?: string;
    readonly updateinfo?: string;
    readonly sign?: (repomd: Buffer) => Buffer;
  } = {},
): MemoryRepository {
  const files = new Map<string, Uint8Array>();
  const chunks: string[] = [];
  const lists: string[] = [];
  for (const one of packages) {
    const bytes = craftRpm(one);
    const { name, version = '1', release = '1', epoch = 0, arch = 'noarch' } = one;
    const file = `Packages/${name}-${version}-${release}.${arch}.rpm`;
    files.set(REPOSITORY_URL + file, bytes);
    const evr = `epoch="${epoch}" ver="${version}" rel="${release}"`;
    const relations = (tag: string, list: readonly string[] = []): string =>
      list.length === 0 ? '' : `<rpm:${tag}>${list.map(entry).join('')}</rpm:${tag}>`;
    chunks.push(
      `<package type="rpm"><name>${escape(name)}</name><arch>${arch}</arch><version ${evr}/>` +
        `<checksum type="sha256" pkgid="YES">${sha256(bytes)}</checksum><time file="0" build="0"/>` +
        `<size package="${bytes.length}" installed="0" archive="0"/><location href="${file}"/>` +
        `<format><rpm:vendor>${escape(one.vendor ?? 'Test')}</rpm:vendor><rpm:sourcerpm>${name}-${version}-${release}.src.rpm</rpm:sourcerpm>` +
        relations('provides', [
          ...(one.provides ?? []),
          `${name} = ${epoch ? `${epoch}:` : ''}${version}-${release}`,
        ]) +
        relations('requires', one.requires) +
        relations('conflicts', one.conflicts) +
        relations('obsoletes', one.obsoletes) +
        `</format></package>`,
    );
    lists.push(
      `<package pkgid="${sha256(bytes)}" name="${escape(name)}" arch="${arch}"><version ${evr}/>` +
        (one.files ?? []).map(({ path }) => `<file>${escape(path)}</file>`).join('') +
        '</package>',
    );
  }
  const primary =
    options.primary ??
    `<?xml version="1.0"?>\n<metadata packages="${packages.length}">${chunks.join('\n')}</metadata>`;
  const repomd = [
    data(files, 'primary', primary),
    data(files, 'filelists', `<filelists>${lists.join('\n')}</filelists>`),
    options.updateinfo === undefined ? '' : data(files, 'updateinfo', options.updateinfo),
  ].join('');
  const document = Buffer.from(`<?xml version="1.0"?>\n<repomd><revision>1</revision>${repomd}</repomd>`);
  files.set(`${REPOSITORY_URL}repodata/repomd.xml`, document);
  if (options.sign) files.set(`${REPOSITORY_URL}repodata/repomd.xml.asc`, options.sign(document));
  const asked: string[] = [];
  const get = (request: {
    url: string;
    optional?: boolean;
    limit: number;
    what: string;
  }): Promise<Uint8Array | undefined> => {
    asked.push(request.url);
    const bytes = files.get(request.url);
    if (!bytes && request.optional) return Promise.resolve(undefined);
    if (!bytes) return Promise.reject(new OnlayError('SERVER', `${request.url} is not there`));
    if (bytes.length > request.limit)
      return Promise.reject(new OnlayError('LIMIT_EXCEEDED', `${request.what} is too large`));
    return Promise.resolve(bytes);
  };
  return { files, fetch: { get: get as Fetch['get'] }, asked };
}

function entry(text: string): string {
  const [name = '', flag, version] = text.startsWith('(') ? [text] : text.split(' ');
  if (!flag) return `<rpm:entry name="${escape(name)}"/>`;
  const [, epoch = '0', ver = '', rel] = /^(?:(\d+):)?([^-]+)(?:-(.*))?$/.exec(version ?? '') ?? [];
  return `<rpm:entry name="${escape(name)}" flags="${FLAGS[flag]}" epoch="${epoch}" ver="${ver}"${rel === undefined ? '' : ` rel="${rel}"`}/>`;
}

function data(files: Map<string, Uint8Array>, type: string, text: string): string {
  const open = Buffer.from(text);
  const bytes = gzipSync(open);
  files.set(`${REPOSITORY_URL}repodata/${type}.xml.gz`, bytes);
  return (
    `<data type="${type}"><checksum type="sha256">${sha256(bytes)}</checksum>` +
    `<location href="repodata/${type}.xml.gz"/><timestamp>1700000000</timestamp>` +
    `<size>${bytes.length}</size><open-size>${open.length}</open-size></data>`
  );
}
