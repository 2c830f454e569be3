// Which files of a package are not wanted in this image: documentation (`tsflags=nodocs`) and other languages
// (`%_install_langs`). Minimal images often state neither: what was done with the files of the installed packages
// (FILESTATES) tells it, first those of the package's old version, then those of all packages, then configuration.
import { byteString } from '../../base/bytes.ts';
import type { RootView } from '../../rootfs/root-view.ts';
import { isDoc, isGhost, type PackageFile } from './files.ts';
import { FileFlag, FileState } from './tags.ts';

export interface InstallPolicy {
  /** State 2 for what is left out, 0 for what is installed; directories that become empty are left out too. */
  states(files: readonly PackageFile[], old: readonly PackageFile[] | undefined): Uint8Array;
}

interface Evidence {
  /** What is never unpacked is marked as left out too: rpm does so since 4.17. */
  readonly ghosts: boolean;
  readonly docs: boolean | undefined;
  /** Empty unless some language was kept: with none at all it cannot be told which ones are wanted. */
  readonly langs: ReadonlyMap<string, boolean>;
}

interface Configuration {
  readonly docs: boolean | undefined;
  /** Languages to install; undefined: all. */
  readonly langs: readonly string[] | undefined;
}

/** `installed`: the file lists of all packages of the database. */
export function installPolicy(
  root: RootView,
  installed: Iterable<readonly PackageFile[]>,
  transactionColor: number,
): InstallPolicy {
  const all: PackageFile[] = [];
  for (const files of installed)
    for (const file of files) if (isDoc(file) || file.langs.length > 0) all.push(file);
  const general = evidenceOf(all);
  const configuration = readConfiguration(root);
  const filtersLangs = [...general.langs.values()].includes(false);
  return {
    states: (files, old) => {
      const own = evidenceOf(old ?? []);
      const docs = own.docs ?? general.docs ?? configuration.docs ?? true;
      const lang = (name: string): boolean =>
        own.langs.get(name) ?? general.langs.get(name) ?? configured(configuration, name) ?? !filtersLangs;
      const states = new Uint8Array(files.length);
      for (const file of files) {
        if (transactionColor !== 0 && file.color !== 0 && (file.color & transactionColor) === 0)
          states[file.index] = FileState.wrongColor;
        // licences come in any case
        else if ((isGhost(file) && !general.ghosts) || isLicense(file)) continue;
        else if ((file.langs.length > 0 && !file.langs.some(lang)) || (!docs && isDoc(file)))
          states[file.index] = FileState.notInstalled;
      }
      leaveOutEmptyDirectories(files, states);
      return states;
    },
  };
}

/** What was done with documentation and with each language; a file that is both is evidence for neither. */
function evidenceOf(files: readonly PackageFile[]): Evidence {
  let withDocs = 0;
  let withoutDocs = 0;
  const kept = new Set<string>();
  const dropped = new Set<string>();
  for (const file of files) {
    if (isGhost(file) || file.type === 'directory' || isLicense(file)) continue;
    const left = file.state === FileState.notInstalled;
    if (isDoc(file) && file.langs.length === 0) {
      if (left) withoutDocs++;
      else withDocs++;
    }
    if (!isDoc(file)) for (const lang of file.langs) (left ? dropped : kept).add(lang);
  }
  const langs = new Map<string, boolean>();
  for (const lang of kept) langs.set(lang, true);
  if (kept.size > 0) for (const lang of dropped) langs.set(lang, false);
  const isUnwanted = (file: PackageFile): boolean =>
    (withoutDocs > 0 && withDocs === 0 && isDoc(file)) ||
    (dropped.size > 0 && file.langs.length > 0 && !file.langs.some((lang) => kept.has(lang)));
  return {
    docs: withDocs + withoutDocs === 0 ? undefined : withDocs > 0,
    langs,
    ghosts: !files.some(
      (file) => isGhost(file) && file.state === FileState.normal && !isLicense(file) && isUnwanted(file),
    ),
  };
}

const isLicense = (file: PackageFile): boolean => (file.flags & FileFlag.license) !== 0;

function configured({ langs }: Configuration, name: string): boolean | undefined {
  // as rpm compares: the language of the file is a prefix of a configured one
  return langs?.some((lang) => lang === 'all' || lang.startsWith(name));
}

function leaveOutEmptyDirectories(files: readonly PackageFile[], states: Uint8Array): void {
  const left = new Map<string, number>();
  const emptied = new Set<string>();
  for (const file of files) {
    const gone = states[file.index] !== FileState.normal;
    left.set(file.directory, (left.get(file.directory) ?? 0) + (gone ? 0 : 1));
    if (gone) emptied.add(file.directory);
  }
  const byPath = new Map(
    files.filter((file) => file.type === 'directory').map((file) => [`${file.path}/`, file]),
  );
  // inner directories first, so that emptiness spreads outwards
  for (const directory of [...emptied].sort((a, b) => b.length - a.length)) spread(directory);

  function spread(directory: string): void {
    const owner = byPath.get(directory);
    if ((left.get(directory) ?? 0) > 0 || !owner || states[owner.index] !== FileState.normal) return;
    states[owner.index] = FileState.notInstalled;
    left.set(owner.directory, (left.get(owner.directory) ?? 1) - 1);
    spread(owner.directory);
  }
}

const MACRO_DIRECTORIES = ['usr/lib/rpm/macros.d', 'etc/rpm'];

/** True for the files that `readConfiguration` reads. */
export function isInstallConfiguration(path: string): boolean {
  return /^(?:usr\/lib\/rpm\/macros\.d\/|etc\/rpm\/macros)/.test(path) || CONFIG_FILES.includes(path);
}

const CONFIG_FILES = ['etc/dnf/dnf.conf', 'etc/yum.conf', 'etc/zypp/zypp.conf'];

function readConfiguration(root: RootView): Configuration {
  let docs: boolean | undefined;
  let langs: readonly string[] | undefined;
  for (const directory of MACRO_DIRECTORIES)
    for (const name of root.list(directory)) {
      const content = readText(root, `${directory}/${name}`);
      if (!name.startsWith('macros') || content === undefined) continue;
      const list = /^\s*%_install_langs\s+(\S+)/m.exec(content)?.[1];
      if (list !== undefined) langs = list.split(/[:,]/).filter((lang) => lang !== '');
      const excluded = /^\s*%_excludedocs\s+(\d+)/m.exec(content)?.[1];
      if (excluded !== undefined) docs = Number(excluded) === 0;
    }
  for (const path of CONFIG_FILES) {
    const content = readText(root, path);
    if (content === undefined) continue;
    if (/^\s*tsflags\s*=.*\bnodocs\b/m.test(content)) docs = false;
    if (/^\s*rpm\.install\.excludedocs\s*=\s*(?:yes|true|on|1)\b/m.test(content)) docs = false;
  }
  return { docs, langs: langs?.includes('all') ? undefined : langs };
}

function readText(root: RootView, path: string): string | undefined {
  const bytes = root.readable(path) ? root.read(path) : undefined;
  return bytes && byteString(bytes);
}
