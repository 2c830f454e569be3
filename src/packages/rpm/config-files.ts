// What becomes of %config files: rpm compares the file of the image with what the old and the new package say of it.
// A file nobody changed is replaced; a changed one is kept or saved, the other version beside it. Also for %ghost and
// for files that change between file and symlink.
import { hexDigest } from '../../base/hash.ts';
import type { RootNode, RootView } from '../../rootfs/root-view.ts';
import type { RootPath } from '../../rootfs/path.ts';
import { isConfig, isGhost, type PackageFile } from './files.ts';
import { FileFlag } from './tags.ts';

/**
 * create: write the new file. touch: the same content is there. skip: leave what is there. save: what is there becomes
 * `.rpmsave`. backup: it becomes `.rpmorig`. beside: the new file becomes `.rpmnew`.
 */
export type InstallAction = 'create' | 'touch' | 'skip' | 'save' | 'backup' | 'beside';

/** The fate of a file that is %config in the installed package (`old`), the new one, or both. */
export function configFate(
  root: RootView,
  where: RootPath,
  old: PackageFile,
  file: PackageFile,
): InstallAction {
  if (isGhost(file)) return 'skip';
  const disk = root.lookup(where);
  if (!disk) return (file.flags & FileFlag.missingOk) !== 0 ? 'skip' : 'create';
  const save: InstallAction = (file.flags & FileFlag.noReplace) !== 0 ? 'beside' : 'save';
  if (file.type === 'directory') return 'create';
  const changeable = old.type === 'file' || old.type === 'symlink';
  if (disk.type !== file.type && !changeable) return save;
  if (file.type !== old.type && disk.type !== old.type) return save;
  if (old.type !== file.type) return 'create';
  if (!changeable) return 'create';
  if (old.type === 'file') {
    if (disk.type === 'file') {
      if (hasContentOf(root, disk, file)) return 'touch';
      if (hasContentOf(root, disk, old)) return 'create';
    }
    return sameDigest(old, file) ? 'skip' : save;
  }
  if (disk.type === 'symlink') {
    if (disk.link === file.link) return 'touch';
    if (disk.link === old.link) return 'create';
  }
  return old.link === file.link ? 'skip' : save;
}

/** True when something else is where a %config file of a package is or shall be: it has to be kept somewhere. */
export function isModifiedConfig(root: RootView, where: RootPath, file: PackageFile): boolean {
  if (!isConfig(file) || isGhost(file)) return false;
  if (file.type !== 'file' && file.type !== 'symlink') return false;
  const disk = root.lookup(where);
  if (!disk) return false;
  if (disk.type !== file.type) return true;
  return file.type === 'file' ? !hasContentOf(root, disk, file) : disk.link !== file.link;
}

/** True when the file of the image has the content that the package states. */
export function hasContentOf(root: RootView, disk: RootNode, file: PackageFile): boolean {
  if (disk.type !== 'file' || disk.size !== file.size || file.digest === '') return false;
  if (file.digestAlgorithm === 'sha256') return disk.sha256 === file.digest.toLowerCase();
  const content = root.readable(disk.path) ? root.read(disk.path) : undefined;
  // a content that was not kept: untouched files still have the time of the package
  if (!content) return disk.mtime === file.mtime;
  return hexDigest(file.digestAlgorithm, content) === file.digest.toLowerCase();
}

function sameDigest(a: PackageFile, b: PackageFile): boolean {
  return a.digestAlgorithm === b.digestAlgorithm && a.digest === b.digest;
}
