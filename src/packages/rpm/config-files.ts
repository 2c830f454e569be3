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
  // only files and symlinks are worth keeping
  if (old.type !== 'file' && old.type !== 'symlink') return 'create';
  if (disk.type === old.type && disk.type === file.type && matches(root, disk, file)) return 'touch';
  if (disk.type === old.type && matches(root, disk, old)) return 'create';
  if (!isConfig(file)) return 'save';
  if (file.type === old.type && sameContent(old, file)) return 'skip';
  return (file.flags & FileFlag.noReplace) !== 0 ? 'beside' : 'save';
}

/** True when the file or symlink of the image is what the package states. */
function matches(root: RootView, disk: RootNode, file: PackageFile): boolean {
  return file.type === 'symlink' ? disk.link === file.link : hasContentOf(root, disk, file);
}

function sameContent(a: PackageFile, b: PackageFile): boolean {
  if (a.type === 'symlink') return a.link === b.link;
  return a.digestAlgorithm === b.digestAlgorithm && a.digest === b.digest;
}

/** True when something else is where a %config file of a package is or shall be: it has to be kept somewhere. */
export function isModifiedConfig(root: RootView, where: RootPath, file: PackageFile): boolean {
  if (!isConfig(file) || isGhost(file)) return false;
  if (file.type !== 'file' && file.type !== 'symlink') return false;
  const disk = root.lookup(where);
  if (!disk) return false;
  return disk.type !== file.type || !matches(root, disk, file);
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
