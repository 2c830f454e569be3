// updateinfo.xml: advisories, each with the packages that carry its fixes and what it refers to. Of large repositories
// it has a hundred megabytes, so it is read as it is decompressed, one `<update>` after the other, and only what is
// asked for is kept.
import { OnlayError } from '../../../errors.ts';
import { view } from '../../../base/bytes.ts';
import type { ByteStream } from '../../../base/streams.ts';
import type { Evr } from '../version.ts';
import { unescapeXml } from './package-index.ts';

/** A version of a package with which an advisory counts as fixed. */
export interface Fix {
  readonly arch: string;
  readonly evr: Evr;
  readonly cves: readonly string[];
}

const END = Buffer.from('</update>');
const MAX_ADVISORY = 8 * 1024 ** 2;

/** The fixes of packages of these names. Throws INDEX_INVALID, and what the stream throws. */
export async function readFixes(
  source: ByteStream,
  names: ReadonlySet<string>,
  what: string,
): Promise<ReadonlyMap<string, readonly Fix[]>> {
  const fixes = new Map<string, Fix[]>();
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? view(chunk) : Buffer.concat([rest, chunk]);
    // a chunk holds many advisories; only the last one may be cut
    const end = bytes.lastIndexOf(END);
    const complete = end === -1 ? 0 : end + END.length;
    if (complete > 0)
      for (const advisory of bytes.latin1Slice(0, complete).split('</update>'))
        collect(advisory, names, fixes);
    rest = Buffer.from(bytes.subarray(complete));
    if (rest.length > MAX_ADVISORY)
      throw new OnlayError('INDEX_INVALID', `Cannot read ${what}: an advisory in it is too large`);
  }
  return fixes;
}

function collect(advisory: string, names: ReadonlySet<string>, fixes: Map<string, Fix[]>): void {
  let cves: readonly string[] | undefined;
  for (const [, attributes] of advisory.matchAll(/<package\s([^>]*)>/g)) {
    const name = attribute(attributes as string, 'name');
    if (name === undefined || !names.has(name)) continue;
    cves ??= cvesOf(advisory);
    if (cves.length === 0) return;
    const epoch = attribute(attributes as string, 'epoch');
    const fix = {
      arch: attribute(attributes as string, 'arch') ?? '',
      evr: {
        epoch: Number(epoch ?? 0) || 0,
        version: attribute(attributes as string, 'version') ?? '',
        release: attribute(attributes as string, 'release') ?? '',
      },
      cves,
    };
    const list = fixes.get(name);
    if (list) list.push(fix);
    else fixes.set(name, [fix]);
  }
}

function cvesOf(advisory: string): readonly string[] {
  const found = new Set<string>();
  for (const [, attributes] of advisory.matchAll(/<reference\s([^>]*)>/g))
    for (const name of ['id', 'title']) {
      const [cve] = /\bCVE-\d{4}-\d{4,}\b/.exec(attribute(attributes as string, name) ?? '') ?? [];
      if (cve !== undefined) found.add(cve);
    }
  return [...found];
}

function attribute(attributes: string, name: string): string | undefined {
  const [, double, single] =
    new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes) ?? [];
  const value = double ?? single;
  return value === undefined ? undefined : unescapeXml(value);
}
