// Which distro an image is: etc/os-release (or usr/lib/os-release), os-release(5), then version files of old images.
import { OnlayError } from '../errors.ts';
import { byteString, displayText } from '../base/bytes.ts';
import type { Distro, DistroRelease, OsRelease } from '../packages/distro.ts';
import type { RootView } from '../rootfs/root-view.ts';
import type { DistroDefinition, RepositoryContext } from './definition.ts';
import { distros } from './index.ts';

const LIMIT = 64 * 1024;

/** The parsed os-release of an image; undefined if it has none. */
export function readOsRelease(root: RootView): OsRelease | undefined {
  const path = ['etc/os-release', 'usr/lib/os-release'].find((candidate) => root.readable(candidate));
  const content = path === undefined ? undefined : root.read(path);
  if (content === undefined) return undefined;
  if (content.length > LIMIT) throw new OnlayError('IMAGE_INVALID', `os-release has ${content.length} bytes`);
  return parseOsRelease(displayText(byteString(content)));
}

/** Parses os-release(5): NAME=value lines, shell quoting, no expansion. */
export function parseOsRelease(text: string): OsRelease {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1], unquote(match[2]));
  }
  const field = (name: string): string => fields.get(name) ?? '';
  return {
    id: field('ID').toLowerCase() || 'linux',
    idLike: field('ID_LIKE').toLowerCase().split(/\s+/).filter(Boolean),
    versionId: field('VERSION_ID'),
    codename: field('VERSION_CODENAME') || field('UBUNTU_CODENAME'),
    prettyName: field('PRETTY_NAME') || field('NAME'),
    platformId: field('PLATFORM_ID'),
  };
}

function unquote(value: string): string {
  const quote = value[0];
  if ((quote === '"' || quote === "'") && value.endsWith(quote) && value.length > 1) {
    const inner = value.slice(1, -1);
    return quote === '"' ? inner.replace(/\\(["$`\\])/g, '$1') : inner;
  }
  return value;
}

/** The distro of an image, or undefined when it is none that is supported; `osRelease` says what it calls itself. */
export function detectDistro(
  root: RootView,
  context: RepositoryContext,
): { readonly distro: Distro | undefined; readonly osRelease: OsRelease | undefined } {
  const osRelease = readOsRelease(root);
  const definition = distros.find((candidate) => recognises(candidate, root, osRelease));
  if (!definition) return { distro: undefined, osRelease };
  return { distro: instantiate(definition, root, osRelease, context), osRelease };
}

function recognises(definition: DistroDefinition, root: RootView, osRelease: OsRelease | undefined): boolean {
  if (osRelease) return definition.id === osRelease.id || (definition.aliases ?? []).includes(osRelease.id);
  return definition.versionFile !== undefined && root.readable(definition.versionFile.path);
}

function instantiate(
  definition: DistroDefinition,
  root: RootView,
  found: OsRelease | undefined,
  context: RepositoryContext,
): Distro {
  const osRelease: OsRelease = found ?? {
    id: definition.id,
    idLike: [],
    versionId: '',
    codename: '',
    prettyName: definition.name,
    platformId: '',
  };
  const file = definition.versionFile;
  const versionId =
    osRelease.versionId ||
    (file && root.readable(file.path)
      ? (file.version(byteString(root.read(file.path) ?? new Uint8Array())) ?? '')
      : '');
  const release = findRelease(definition.releases, versionId, osRelease.codename);
  return {
    id: definition.id,
    name: definition.name,
    family: definition.family,
    release,
    osRelease: { ...osRelease, versionId },
    defaultRepositories: definition.repositories(release, context),
    keys: definition.keys ?? [],
    quirks: definition.quirks?.(release, osRelease) ?? {},
  };
}

/** The release a VERSION_ID belongs to: "9.4" is release "9", "3.19.4" release "3.19"; by code name if there is no version. */
export function findRelease(
  releases: readonly DistroRelease[],
  versionId: string,
  codename: string,
): DistroRelease | undefined {
  return (
    releases.find(
      (release) => versionId === release.version || versionId.startsWith(`${release.version}.`),
    ) ?? releases.find((release) => release.codename !== undefined && release.codename === codename)
  );
}
