// A verified package, decoded in memory.
import { byteString, displayText } from '../../base/bytes.ts';
import { OnlayError } from '../../errors.ts';
import type { PackageScript, UnpackedPackage } from '../family.ts';
import type { VerifiedPackage } from '../verified.ts';
import { checkDataHash, infoValue, readControl, readData, splitApk } from './apk-file.ts';
import type { ApkEntry, ControlFiles, PackageInfo } from './apk-file.ts';
import { isEmptyPackage } from './records.ts';
import { interpreterOf } from './scripts-tar.ts';

export interface ApkContent {
  readonly info: PackageInfo;
  readonly scripts: ControlFiles['scripts'];
  readonly entries: readonly ApkEntry[];
  /** Bytes of the .apk. */
  readonly size: number;
}

export function unpackApk({ planned, bytes }: VerifiedPackage): UnpackedPackage {
  const what = `package ${displayText(planned.name)} ${planned.to}`;
  const parts = splitApk(bytes, what);
  const control = readControl(parts, what);
  const { info } = control;
  for (const [key, expected] of [
    ['pkgname', planned.name],
    ['pkgver', planned.to],
  ] as const)
    if (infoValue(info, key) !== expected)
      throw new OnlayError(
        'PACKAGE_INVALID',
        `${what} calls itself ${displayText(infoValue(info, key))} in ${key}`,
      );
  const empty = isEmptyPackage(info);
  if (!empty) checkDataHash(parts, info, what);
  const scripts = empty ? [] : control.scripts;
  const content: ApkContent = {
    info,
    scripts,
    entries: empty ? [] : readData(parts, what),
    size: bytes.length,
  };
  const kinds =
    planned.from === undefined ? ['pre-install', 'post-install'] : ['pre-upgrade', 'post-upgrade'];
  return {
    planned,
    scripts: kinds.flatMap((kind) => scripts.filter((script) => script.kind === kind).map(toPackageScript)),
    content,
  };
}

export function toPackageScript({
  kind,
  body,
}: {
  readonly kind: string;
  readonly body: Uint8Array;
}): PackageScript {
  const text = byteString(body);
  return { name: kind, interpreter: interpreterOf(text), body: text };
}
