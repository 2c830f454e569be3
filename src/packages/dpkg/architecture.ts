// Debian's names of architectures. An image with dpkg says its own; others are told by the OCI architecture.
// https://wiki.debian.org/SupportedArchitectures
import type { RootView } from '../../rootfs/root-view.ts';
import type { StatusRecord } from './status.ts';
import { readText } from './transaction.ts';

/** Debian's name of the architecture that the image calls its own. */
export function nativeArchitecture(
  root: RootView,
  records: readonly StatusRecord[],
  image: { readonly imageArch: string; readonly imageVariant?: string },
): string {
  const stated = [readText(root, 'var/lib/dpkg/arch-native'), readText(root, 'var/lib/dpkg/arch')]
    .map((text) => text.split('\n')[0]?.trim() ?? '')
    .find((line) => line !== '');
  if (stated !== undefined) return stated;
  const dpkg = records.find(({ name, arch }) => name === 'dpkg' && arch !== 'all' && arch !== '');
  return dpkg?.arch ?? debianArchitecture(image.imageArch, image.imageVariant);
}

/** OCI architecture and variant → Debian's name. */
export function debianArchitecture(imageArch: string, imageVariant?: string): string {
  if (imageArch === 'arm') return imageVariant === 'v5' || imageVariant === 'v6' ? 'armel' : 'armhf';
  return NAMES[imageArch] ?? imageArch;
}

const NAMES: Readonly<Record<string, string>> = {
  '386': 'i386',
  ppc64le: 'ppc64el',
  mips64le: 'mips64el',
  mipsle: 'mipsel',
};
