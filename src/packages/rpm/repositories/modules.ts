// Modularity (EL8, few in EL9): streams of a module are alternatives, only the packages of active streams are offered,
// and they hide plain packages of the same names. https://docs.fedoraproject.org/en-US/modularity/. Of modules.yaml
// only names, streams and artifact lists are needed; they are picked by their lines, because the documents are large
// and written by one tool.
import { byteString } from '../../../base/bytes.ts';
import type { RootView } from '../../../rootfs/root-view.ts';
import { formatEvr } from '../version.ts';
import type { OfferedPackage } from './candidate.ts';
import { parseIni } from './ini.ts';
import { readText } from './configuration.ts';

export interface ModuleStream {
  readonly name: string;
  readonly stream: string;
  /** NEVRAs with epoch: `nodejs-1:18.2.0-1.module_el8.x86_64`. */
  readonly artifacts: readonly string[];
}

export interface ModuleMetadata {
  readonly streams: readonly ModuleStream[];
  /** Default stream by module. */
  readonly defaults: ReadonlyMap<string, string>;
}

export const NO_MODULES: ModuleMetadata = { streams: [], defaults: new Map() };

export function parseModules(bytes: Uint8Array): ModuleMetadata {
  const streams: ModuleStream[] = [];
  const defaults = new Map<string, string>();
  for (const document of byteString(bytes).split(/^---[ \t]*\r?$/m)) {
    const kind = /^document:\s*(\S+)/m.exec(document)?.[1];
    if (kind === 'modulemd-defaults') {
      const module = scalar(document, 'module');
      const stream = scalar(document, 'stream');
      if (module !== undefined && stream !== undefined) defaults.set(module, stream);
    } else if (kind === 'modulemd' || kind === 'modulemd-packager') {
      const name = scalar(document, 'name');
      const stream = scalar(document, 'stream');
      if (name !== undefined && stream !== undefined)
        streams.push({ name, stream, artifacts: artifactsOf(document) });
    }
  }
  return { streams, defaults };
}

/** A scalar directly below `data:`. */
function scalar(document: string, key: string): string | undefined {
  const value = new RegExp(`^ {2}${key}:[ \\t]*(.+?)[ \\t]*\\r?$`, 'm').exec(document)?.[1];
  return value === undefined ? undefined : unquote(value);
}

function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted ? (quoted[2] as string) : value.replace(/\s+#.*$/, '');
}

function artifactsOf(document: string): readonly string[] {
  const start = /^ {2}artifacts:[ \t]*\r?\n {4}rpms:[ \t]*\r?\n/m.exec(document);
  if (!start) return [];
  const artifacts: string[] = [];
  for (const line of document.slice(start.index + start[0].length).split('\n')) {
    const item = /^ {4,}-[ \t]+(.+?)[ \t]*\r?$/.exec(line)?.[1];
    if (item === undefined) break;
    artifacts.push(unquote(item));
  }
  return artifacts;
}

/** Decides for each offered package whether modularity lets it through. */
export interface ModuleFilter {
  allows(candidate: OfferedPackage, moduleHotfixes: boolean): boolean;
}

/** `installedLabels`: MODULARITYLABEL of the installed packages (`name:stream:version:context`). */
export function moduleFilter(
  root: RootView,
  metadata: readonly ModuleMetadata[],
  installedLabels: readonly string[],
): ModuleFilter {
  const active = activeStreams(root, metadata, installedLabels);
  const artifacts = new Map<string, boolean>();
  const hidden = new Set<string>();
  for (const { streams } of metadata)
    for (const stream of streams) {
      const isActive = active.get(stream.name) === stream.stream;
      for (const artifact of stream.artifacts) {
        if (isActive) {
          artifacts.set(artifact, true);
          const name = /^(.+)-[^-]+-[^-]+$/.exec(artifact)?.[1];
          if (name !== undefined && !artifact.endsWith('.src')) hidden.add(name);
        } else if (!artifacts.has(artifact)) artifacts.set(artifact, false);
      }
    }
  return {
    allows: (candidate, moduleHotfixes) => {
      if (moduleHotfixes || artifacts.size === 0) return true;
      const modular = artifacts.get(artifactName(candidate));
      if (modular !== undefined) return modular;
      // a plain package is hidden by a module that has one of its name, or of a name it provides
      return !hidden.has(candidate.name) && !candidate.provides.some(({ name }) => hidden.has(name));
    },
  };
}

function artifactName({ name, evr, arch }: OfferedPackage): string {
  const version = formatEvr({ ...evr, epoch: 0 });
  return `${name}-${evr.epoch}:${version}.${arch}`;
}

function activeStreams(
  root: RootView,
  metadata: readonly ModuleMetadata[],
  installedLabels: readonly string[],
): ReadonlyMap<string, string> {
  const active = new Map<string, string>();
  for (const { defaults } of metadata) for (const [name, stream] of defaults) active.set(name, stream);
  for (const label of installedLabels) {
    const [name, stream] = label.split(':');
    if (name && stream) active.set(name, stream);
  }
  for (const file of root.list('etc/dnf/modules.d')) {
    if (!file.endsWith('.module')) continue;
    for (const section of parseIni(readText(root, `etc/dnf/modules.d/${file}`) ?? '')) {
      const name = section.values.get('name') ?? section.name;
      const stream = section.values.get('stream') ?? '';
      const state = section.values.get('state') ?? '';
      if (state === 'disabled') active.delete(name);
      else if (/^(?:1|enabled|true)$/.test(state) && stream !== '') active.set(name, stream);
    }
  }
  return active;
}
