// Services of zypp: lists of repositories (repo/repoindex.xml) that zypper turns into .repo files when it refreshes them.
// Those whose list lies in the image are read; remote ones and plugins are not.
// https://en.opensuse.org/openSUSE:Standards_Repository_Index_Service
import { byteString } from '../../../base/bytes.ts';
import type { RootView } from '../../../rootfs/root-view.ts';
import { booleanValue, listValue, parseIni, type IniSection } from './ini.ts';
import { childrenOf, parseXml, type XmlElement } from './xml.ts';

const DIRECTORY = 'etc/zypp/services.d';

/** Where packages put such lists. */
export const SERVICE_FILES: RegExp = /^usr\/share\/zypp\/local\/service\//;

export interface ServiceRepository {
  /** As the .repo file would state it. */
  readonly section: IniSection;
  readonly origin: string;
}

export function serviceRepositories(root: RootView): readonly ServiceRepository[] {
  return root.list(DIRECTORY).flatMap((name) => {
    const bytes = name.endsWith('.service') ? read(root, `${DIRECTORY}/${name}`) : undefined;
    return bytes ? parseIni(byteString(bytes)).flatMap((service) => repositoriesOf(root, service)) : [];
  });
}

function read(root: RootView, path: string): Uint8Array | undefined {
  return root.readable(path) ? root.read(path) : undefined;
}

function repositoriesOf(root: RootView, { name, values }: IniSection): readonly ServiceRepository[] {
  if (!booleanValue(values.get('enabled'), true)) return [];
  const [, directory] = /^(?:dir:|file:)?\/*(\/.*)$/.exec(values.get('url') ?? '') ?? [];
  if (directory === undefined) return [];
  const path = `${directory.replace(/^\/+|\/+$/g, '')}/repo/repoindex.xml`;
  const bytes = read(root, path);
  if (!bytes) return [];
  const index = parseXml(bytes, path);
  const switchedOn = new Set(listValue(values.get('repostoenable')));
  const switchedOff = new Set(listValue(values.get('repostodisable')));
  return childrenOf(index, 'repo').flatMap((repository): readonly ServiceRepository[] => {
    const attribute = (key: string): string | undefined => filled(key, repository, index);
    const alias = attribute('alias');
    const url = attribute('url');
    if (alias === undefined || url === undefined) return [];
    const isEnabled =
      switchedOn.has(alias) || (!switchedOff.has(alias) && booleanValue(attribute('enabled'), true));
    const section = {
      // as zypper names them, but for what no other tool allows in a name
      name: `${name}:${alias}`,
      values: new Map([
        ['name', attribute('name') ?? alias],
        ['enabled', isEnabled ? '1' : '0'],
        ['baseurl', url],
        ['priority', attribute('priority') ?? ''],
        ['path', attribute('path') ?? ''],
      ]),
    };
    return [{ section, origin: path }];
  });
}

const MAX_LENGTH = 2000;

/** An attribute, with `%{name}` replaced by the attribute of that name, of the repository or of the whole list. */
function filled(key: string, repository: XmlElement, index: XmlElement): string | undefined {
  const raw = (name: string): string | undefined => repository.attributes[name] ?? index.attributes[name];
  let value = raw(key);
  // an attribute may name one that names another
  for (let pass = 0; pass < 3 && value?.includes('%{'); pass++)
    value =
      value.length > MAX_LENGTH
        ? undefined
        : value.replace(/%\{(\w+)\}/g, (whole, name: string) => (raw(name) ?? whole).slice(0, MAX_LENGTH));
  return value;
}
